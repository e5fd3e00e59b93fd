"""The page about invites explains every code that people may meet there."""

from __future__ import annotations

from pathlib import Path

from codex_pooler.accounts.invites import ENDED, MISMATCH
from codex_pooler.mail.delivery import ADVICE
from codex_pooler.web.admin.invites import JOB, api

PAGE = (Path(__file__).parents[2] / "docs" / "invites.md").read_text()


def test_every_code_is_explained() -> None:
    codes = {MISMATCH, "invite_exists", *(code for code, _ in ENDED.values()), *ADVICE}
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_every_call_is_listed() -> None:
    paths = {
        endpoint.path.replace("{invite_id}", "{id}").replace("{upstream_id}", "{id}") for endpoint in api.endpoints
    }
    assert {path for path in paths if f"/api/admin/v1{path}" not in PAGE} == set()
    assert f"`{JOB}`" in PAGE
