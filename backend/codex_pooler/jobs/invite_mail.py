"""Mails an invite's link to whoever is invited."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.accounts.invites import link_of
from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.mail.delivery import MailFailed
from codex_pooler.mail.letters import Letter, invitation
from codex_pooler.mail.office import PostOffice
from codex_pooler.storage import queries_invites as queries


async def mail_invite(services: Services, invite_id: str) -> None:
    """Send one mail, unless the invite has ended.  Raises JobFailed, final when trying again would not help.

    Who dies between the sending and the note of it sends once more: a second mail does no harm, none at all does.
    """
    async with services.database.session() as session:
        row = await session.one(queries.ONE, invite_id=UUID(invite_id))
    if row is None or row.status != "active":
        return
    letter = invitation(
        row.email,
        pool_name=row.pool_name,
        invited_by=row.invited_by_name,
        url=link_of(services.keyring, services.origin, row.id),
        expires_at=row.expires_at,
        note=row.note,
    )
    failure = await _send(services, letter)
    async with services.database.session() as session:
        if failure is None:
            await session.execute(queries.MAILED, invite_id=row.id)
            return
        state = "queued" if failure.may_pass else "failed"
        await session.execute(queries.NOT_MAILED, invite_id=row.id, state=state, code=failure.code)
    raise JobFailed(failure.code, str(failure), final=not failure.may_pass)


async def _send(services: Services, letter: Letter) -> MailFailed | None:
    try:
        await PostOffice(services.database, services.keyring).send(letter)
    except MailFailed as exc:
        return exc
    return None
