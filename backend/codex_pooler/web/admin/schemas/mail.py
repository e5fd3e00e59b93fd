"""Shapes of mail: an address, and a mail that is sent to try the settings."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError

from codex_pooler.snapshot.settings import ADDRESS
from codex_pooler.web.admin.schemas.common import Line, Shape, count, text


class Email(Line):
    """An e-mail address, in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        address = super()._deserialize(value, attr, data, **kwargs).lower()
        if len(address) > 254 or not re.fullmatch(ADDRESS, address):
            raise ValidationError("Enter one e-mail address, such as anna@example.com.")
        return address


class MailTrial(Shape):
    """Where a mail is to be sent."""

    to = Email(required=True)


class MailTrialResult(Shape):
    """The server that took the mail."""

    to = text()
    host = text()
    port = count()
