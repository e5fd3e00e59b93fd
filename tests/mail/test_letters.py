"""Letters: what they say, and that nothing others typed can add a header, a line or markup."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.mail.letters import Letter, invitation, message, trial

URL = "http://localhost:4000/onboarding/invites/abc_-123"


def invite(pool: str = "Team", note: str | None = None) -> Letter:
    moment = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    return invitation("anna@example.org", pool_name=pool, invited_by="Ada", url=URL, expires_at=moment, note=note)


def read(letter: Letter) -> EmailMessage:
    made = message_from_bytes(bytes(message(letter, "pooler@example.com")), policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_an_invitation_says_who_asks_what_for_until_when_and_where() -> None:
    mail = read(invite(note="See you on Monday"))
    for words in ("Ada", "Team", "anna@example.org", "01 May 2026, 12:30 UTC", URL, "See you on Monday"):
        assert words in part(mail, "plain"), words
        assert words in part(mail, "html"), words


def test_the_trial_names_the_instance() -> None:
    assert "http://pool.example" in part(read(trial("a@example.com", "http://pool.example")), "plain")


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_what_people_typed_stays_what_it_is(pool: str, note: str) -> None:
    mail = read(invite(pool, note))
    expected = {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"}
    assert {name.lower() for name in mail} == expected
    assert mail["To"] == "anna@example.org"
    html = part(mail, "html")
    assert html.count("<p>") == html.count("</p>")
    assert html.count("<a ") == 1
    assert "<script" not in html


def test_markup_is_text() -> None:
    html = part(read(invite("<b>Team</b>", '"><script>alert(1)</script>\r\nBcc: x@example.com')), "html")
    assert "<script" not in html
    assert "&lt;b&gt;Team&lt;/b&gt;" in html
