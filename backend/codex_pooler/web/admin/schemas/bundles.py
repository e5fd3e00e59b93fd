"""Shapes of moving accounts between installations."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.accounts.bundle import LEAST_PASSPHRASE
from codex_pooler.operators.passwords import MAX_PASSWORD_LENGTH
from codex_pooler.web.admin.schemas.common import Shape, count, list_of, nested, out, text

RESULTS = ("created", "updated", "kept", "failed")


def _passphrase(least: int) -> fields.String:
    return fields.String(required=True, validate=validate.Length(least, 1000))


class ExportInput(Shape):
    """Which accounts (null: all), the passphrase that the file is sealed with, and the operator's own password.

    ``disable``: the accounts serve no more turns here and are not renewed here any more, so that two installations
    do not spend the same refresh tokens.
    """

    upstream_ids = fields.List(fields.UUID(), allow_none=True, validate=validate.Length(1, 1000))
    passphrase = _passphrase(LEAST_PASSPHRASE)
    password = fields.String(required=True, validate=validate.Length(1, MAX_PASSWORD_LENGTH))
    disable = fields.Boolean(load_default=False)


class BundleKdf(Shape):
    """How the key is made of the passphrase."""

    name = text(among=("argon2id",))
    salt = text()
    iterations = count()
    memory_kib = count()
    lanes = count()


class BundleCipher(Shape):
    """What seals the content."""

    name = text(among=("aes-256-gcm",))
    nonce = text()


class AccountBundle(Shape):
    """The file: everything but its head is sealed."""

    format = text()
    version = count()
    created_at = text()
    accounts = count()
    kdf = nested(BundleKdf)
    cipher = nested(BundleCipher)
    ciphertext = text()


class ImportBundleInput(Shape):
    """A file from an export; with ``dry_run`` nothing is stored and the answer says what would be."""

    bundle = fields.Dict(required=True)
    passphrase = _passphrase(1)
    password = fields.String(required=True, validate=validate.Length(1, MAX_PASSWORD_LENGTH))
    pool_id = fields.UUID(allow_none=True)
    dry_run = fields.Boolean(load_default=False)


class MovedAccount(Shape):
    """What became of one account; ``kept``: the login here is the newer one."""

    label = text()
    result = text(among=RESULTS)
    upstream_id = out(fields.UUID, null=True)
    code = text(null=True)
    detail = text(null=True)


class ImportedBundle(Shape):
    """One line per account of the file, in its order."""

    dry_run = out(fields.Boolean)
    items = list_of(MovedAccount)
