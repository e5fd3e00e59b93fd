"""What the product writes to people, as text and as HTML; what others typed can break neither lines nor markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from html import escape

BODY = "font-family:sans-serif;line-height:1.5;max-width:36em"
BUTTON = "background:#c2410c;border-radius:6px;color:#fff;display:inline-block;padding:.6em 1em;text-decoration:none"


@dataclass(frozen=True)
class Letter:
    """A mail before it has a sender.  ``link``: where its button leads, with its words."""

    to: str
    subject: str
    paragraphs: tuple[str, ...]
    link: tuple[str, str] | None = None


def invitation(
    to: str, *, pool_name: str, invited_by: str | None, url: str, expires_at: datetime, note: str | None
) -> Letter:
    """Asks somebody to connect their ChatGPT account to a pool."""
    inviter = invited_by or "An operator"
    ask = f"{inviter} invites you to connect your ChatGPT account to the pool {pool_name} of Codex Pooler."
    terms = (
        f"Sign in there as {to}. Nobody sees your password; the pool may then use your account's Codex quota, "
        "and you can end that at any time in ChatGPT's security settings."
    )
    until = f"The link works once, until {expires_at.astimezone(UTC):%d %B %Y, %H:%M} UTC. Do not pass it on."
    unexpected = "If you did not expect this, ignore it: nothing happens without you."
    said = (f"They add: {note}",) if note else ()
    return Letter(
        to, f"Connect your account to {pool_name}", (ask, *said, terms, until, unexpected), ("Connect my account", url)
    )


def trial(to: str, origin: str) -> Letter:
    """Shows that mail arrives."""
    return Letter(
        to,
        "Mail from Codex Pooler works",
        (f"An owner of the Codex Pooler at {origin} sent this to try the mail settings. There is nothing to do.",),
    )


def message(letter: Letter, sender: str) -> EmailMessage:
    """The letter as RFC 5322 wants it, with a plain and an HTML part."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, letter.to
    mail["Subject"] = _one_line(letter.subject)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(_text(letter)) + "\n")
    mail.add_alternative(_html(letter), subtype="html")
    return mail


def _text(letter: Letter) -> Iterable[str]:
    first, *others = map(_one_line, letter.paragraphs)
    yield first
    if letter.link:
        yield letter.link[1]
    yield from others


def _html(letter: Letter) -> str:
    first, *others = (f"<p>{escape(_one_line(each))}</p>" for each in letter.paragraphs)
    body = [first, *map(_button, [letter.link] if letter.link else []), *others]
    return f'<!doctype html><html lang="en"><body style="{BODY}">{"".join(body)}</body></html>\n'


def _button(link: tuple[str, str]) -> str:
    words, url = map(escape, link)
    return f'<p><a href="{url}" style="{BUTTON}">{words}</a></p><p>{url}</p>'


def _one_line(text: str) -> str:
    """No control character, line separator or direction mark of any alphabet gets through."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
