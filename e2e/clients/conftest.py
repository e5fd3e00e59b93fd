"""Offers a whole gateway, its database and the installed client programs to the tests of this folder."""

from tests.conftest import config, dsn, keyring, postgres
from tests.integration.whole import gateway

__all__ = ["config", "dsn", "gateway", "keyring", "postgres"]
