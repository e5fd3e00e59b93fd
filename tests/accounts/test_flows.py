"""Sign-ins end in exactly one login, or in none and with a word that says why."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy as sa

from codex_pooler.accounts import linking
from codex_pooler.accounts.auth_json import Credentials
from codex_pooler.accounts.flow_codes import CODES, FlowRefused
from codex_pooler.accounts.flow_view import FlowSecrets, FlowView, opened
from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.importing import Imported
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.tables import account_secrets, accounts, oauth_flows, operators, pool_accounts
from codex_pooler.telemetry.metrics import SIGN_INS, Metrics
from codex_pooler.upstream.oauth import SignIn
from tests.accounts.signing_in import Lobby, anything, lobby, refusal

assert lobby, "the fixture of this file"
GOOD = "http://localhost:1455/auth/callback?code=ac_1&state="


def secrets_of(lobby: Lobby, row: Any) -> FlowSecrets:
    found = opened(lobby.keyring.upstream, row)
    assert found
    return found


# -- by browser


async def test_scenario_33_a_pasted_address_makes_an_account(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    assert (view.kind, view.state, view.pool.name, view.error) == ("browser", "pending", "Team", None)
    done = await lobby.flows.paste(view.id, f"  {await lobby.browse(view)}\n", anything)
    (account,) = await lobby.accounts()
    assert (done.state, done.authorize_url, done.error) == ("completed", None, None)
    assert done.result
    assert (done.result.upstream_id, done.result.created) == (account.id, True)
    assert (account.label, account.state, account.onboarding) == ("acct-1", "active", "browser")
    assert account.access_expires_at is not None
    assert [(member.pool_id, member.account_id) for member in await lobby.members()] == [(lobby.pool_id, account.id)]
    assert lobby.linked == [account.id], "the process is told"
    access, refresh = await lobby.tokens(account.id)
    assert access.count(".") == 2
    assert refresh.startswith("rt_")
    assert (await lobby.row(view)).sealed is None, "what the flow kept is gone"


async def test_how_sign_ins_end_is_counted(lobby: Lobby) -> None:
    counted = Metrics()
    flows = Flows(lobby.database, lobby.keyring, SignIn(lobby.origin), lobby.clock, metrics=counted)
    await flows.start("browser", lobby.pool_id)
    view = await flows.start("browser", lobby.pool_id)
    await flows.paste(view.id, await lobby.browse(view), anything)
    left = await flows.start("browser", lobby.pool_id)
    await flows.cancel(left.id)
    await flows.cancel(left.id)
    ended = {how: amount for (name, how), amount in counted.counts.items() if name == SIGN_INS and amount}
    assert ended == {"superseded": 1, "completed": 1, "cancelled": 1}


async def test_the_link_asks_for_what_codex_asks_for(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    assert view.authorize_url
    assert view.authorize_url.startswith(f"{lobby.origin}/oauth/authorize?response_type=code&client_id=app_")
    for part in (
        "redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback",
        "scope=openid+profile+email+offline_access+api.connectors.read+api.connectors.invoke",
        "code_challenge_method=S256",
        "id_token_add_organizations=true",
        "codex_cli_simplified_flow=true",
        "originator=codex_cli_rs",
    ):
        assert part in view.authorize_url
    kept = secrets_of(lobby, await lobby.row(view))
    assert len(kept.verifier) == 86
    assert len(kept.state) == 43
    assert kept.verifier not in view.authorize_url


async def test_scenario_33_states_that_are_not_this_flows_are_refused(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    assert (await refusal(lobby.flows.paste(view.id, GOOD + "forged", anything))).code == "invalid_state"
    other = await lobby.flows.start("browser", lobby.pool_id, operator_id=await operator(lobby))
    url = await lobby.browse(other)
    assert (await refusal(lobby.flows.paste(view.id, url, anything))).code == "invalid_state"
    assert (await lobby.flows.view(other.id)).state == "pending", "the other flow is as it was"
    device = await lobby.flows.start("device", lobby.pool_id)
    assert (await refusal(lobby.flows.paste(device.id, url, anything))).code == "invalid_state"
    assert lobby.asked() == 0


async def test_scenario_33_an_expired_flow_is_over_and_keeps_nothing(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    lobby.later(601)
    error = await refusal(lobby.flows.paste(view.id, url, anything))
    assert (error.code, error.status) == ("expired_flow", 400)
    shown = await lobby.flows.view(view.id)
    assert (shown.state, shown.authorize_url, (await lobby.row(view)).sealed) == ("expired", None, None)
    assert shown.error
    assert shown.error.code == "expired_flow"
    assert lobby.asked() == 0


async def test_scenario_33_a_newer_flow_takes_the_place_of_an_older_one(lobby: Lobby) -> None:
    owner = await operator(lobby)
    old = await lobby.flows.start("browser", lobby.pool_id, operator_id=owner)
    url = await lobby.browse(old)
    device = await lobby.flows.start("device", lobby.pool_id, operator_id=owner)
    new = await lobby.flows.start("browser", lobby.pool_id, operator_id=owner)
    error = await refusal(lobby.flows.paste(old.id, url, anything))
    assert (error.code, error.status) == ("stale_flow", 409)
    assert (await refusal(lobby.flows.paste(new.id, url, anything))).code == "stale_flow"
    strangers = await refusal(lobby.flows.paste(new.id, url, lambda pools: False))
    assert strangers.code == "invalid_state", "who may not know of the old flow learns nothing of it"
    assert (await lobby.row(old)).sealed is None
    assert (await lobby.flows.view(device.id)).state == "pending", "the other kind is another purpose"
    assert (await lobby.flows.paste(new.id, await lobby.browse(new), anything)).state == "completed"


async def test_two_operators_add_accounts_at_the_same_time(lobby: Lobby) -> None:
    one = await lobby.flows.start("browser", lobby.pool_id, operator_id=await operator(lobby))
    other = await lobby.flows.start("browser", lobby.pool_id, operator_id=await operator(lobby))
    for view, name in ((one, "acct-1"), (other, "acct-2")):
        await lobby.flows.paste(view.id, await lobby.browse(view, name), anything)
    assert {account.label for account in await lobby.accounts()} == {"acct-1", "acct-2"}


async def test_flows_that_start_at_once_leave_one(lobby: Lobby) -> None:
    owner = await operator(lobby)
    views = await asyncio.gather(*(lobby.flows.start("browser", lobby.pool_id, operator_id=owner) for _ in range(4)))
    states = [(await lobby.flows.view(view.id)).state for view in views]
    assert sorted(states) == ["cancelled", "cancelled", "cancelled", "pending"]


async def test_a13_an_address_pasted_twice_is_spent(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    await lobby.flows.paste(view.id, url, anything)
    error = await refusal(lobby.flows.paste(view.id, url, anything))
    assert (error.code, error.status, lobby.asked()) == ("flow_not_pending", 409, 1)


async def test_a13_two_pastes_at_once_exchange_the_code_once(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    processes = [lobby.flows, lobby.another_process()]
    pastes = (processes[n % 2].paste(view.id, url, anything) for n in range(6))
    done = await asyncio.gather(*pastes, return_exceptions=True)
    refused = [one.code for one in done if isinstance(one, FlowRefused)]
    assert (refused, lobby.asked()) == (["flow_not_pending"] * 5, 1)
    assert len(await lobby.accounts()) == 1


async def test_a13_a_code_of_another_verifier_is_refused(lobby: Lobby) -> None:
    """PKCE: somebody else's code does not fit this flow, whatever state it comes with."""
    victim = await lobby.flows.start("browser", lobby.pool_id, operator_id=await operator(lobby))
    view = await lobby.flows.start("browser", lobby.pool_id, operator_id=await operator(lobby))
    stolen = (await lobby.browse(victim)).partition("code=")[2].partition("&")[0]
    state = secrets_of(lobby, await lobby.row(view)).state
    url = f"http://localhost:1455/auth/callback?code={stolen}&state={state}"
    error = await refusal(lobby.flows.paste(view.id, url, anything))
    assert (error.code, error.status) == ("token_exchange_failed", 502)
    assert (await lobby.flows.view(view.id)).state == "failed"
    assert await lobby.accounts() == []


async def test_a_denial_ends_the_flow(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    error = await refusal(lobby.flows.paste(view.id, await lobby.browse(view, deny="1"), anything))
    assert (error.code, error.status) == ("provider_denied", 400)
    shown = await lobby.flows.view(view.id)
    assert shown.error
    assert (shown.state, shown.error.code) == ("failed", "provider_denied")


async def test_a_cancelled_flow_goes_nowhere(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    await lobby.flows.cancel(view.id)
    assert (await refusal(lobby.flows.paste(view.id, url, anything))).code == "flow_not_pending"
    assert (await lobby.row(view)).sealed is None


async def test_a_server_that_refuses_or_breaks_off_ends_the_flow(lobby: Lobby) -> None:
    for name in ("unavailable", "reset_before_headers", "challenge"):
        view = await lobby.flows.start("browser", lobby.pool_id)
        url = await lobby.browse(view)
        lobby.fault(name)
        error = await refusal(lobby.flows.paste(view.id, url, anything))
        assert (error.code, error.status) == ("token_exchange_failed", 502), name
        assert (await lobby.flows.view(view.id)).state == "failed"
    assert await lobby.accounts() == []


async def test_a_code_that_never_left_may_be_pasted_again(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "AGAIN_SECONDS", 0.0)
    view = await lobby.flows.start("browser", lobby.pool_id, proxy="socks5://127.0.0.1:9")
    url = await lobby.browse(view)
    error = await refusal(lobby.flows.paste(view.id, url, anything))
    assert (error.code, error.status) == ("egress_proxy_failed", 502)
    shown = await lobby.flows.view(view.id)
    assert shown.error
    assert (shown.state, shown.error.code) == ("pending", "egress_proxy_failed")
    assert lobby.asked() == 0, "a dead proxy is never gone around"


async def test_a_process_that_dies_over_an_exchange_leaves_a_flow_that_says_so(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    await lobby.change(view, state="authorizing", polled_at=lobby.clock())
    assert (await lobby.flows.view(view.id)).state == "authorizing"
    lobby.later(61)
    shown = await lobby.flows.view(view.id)
    assert shown.error
    assert (shown.state, shown.error.code) == ("failed", "interrupted")
    assert "Start the sign-in again" in shown.error.detail
    assert (await lobby.row(view)).sealed is None


async def test_a_flow_that_the_keys_do_not_open_says_so(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    await lobby.change(view, sealed=b"\x01" * 64)
    assert (await lobby.flows.view(view.id)).authorize_url is None
    assert (await refusal(lobby.flows.paste(view.id, url, anything))).code == "flow_unreadable"


async def test_an_unknown_flow_is_not_found(lobby: Lobby) -> None:
    for step in (
        lobby.flows.view(uuid4()),
        lobby.flows.poll(uuid4(), anything),
        lobby.flows.paste(uuid4(), GOOD + "s", anything),
    ):
        assert (await refusal(step)).code == "not_found"


# -- the database goes away


class ShakyDatabase(Database):
    """Loses its next transactions, before they begin or after their commit."""

    def lose(self, times: int, *, after_commit: bool = False) -> None:
        self.lost, self.after_commit = times, after_commit

    lost, after_commit = 0, False

    def transaction(self) -> Any:
        return self._shaky() if self.lost else super().transaction()

    def _shaky(self) -> Any:
        self.lost -= 1
        if self.after_commit:
            return CommitUnheard(super().transaction())
        raise psycopg2.OperationalError("the database went away")


class CommitUnheard:
    """A transaction that commits, and whose end is not heard of."""

    def __init__(self, real: Any) -> None:
        self.real = real

    async def __aenter__(self) -> Session:
        session: Session = await self.real.__aenter__()
        return session

    async def __aexit__(self, *exc: Any) -> None:
        await self.real.__aexit__(*exc)
        raise psycopg2.OperationalError("the connection broke")


def shaky(lobby: Lobby, monkeypatch: pytest.MonkeyPatch, store_seconds: float = 5.0) -> tuple[ShakyDatabase, Flows]:
    monkeypatch.setattr(linking, "AGAIN_SECONDS", 0.0)
    database = ShakyDatabase(lobby.database.pool, lobby.database.dsn)
    flows = Flows(database, lobby.keyring, SignIn(lobby.origin), lobby.clock)
    object.__setattr__(flows._linking, "store_seconds", store_seconds)
    return database, flows


@pytest.mark.parametrize("after_commit", [False, True])
async def test_tokens_outlast_a_database_that_goes_away(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    database, flows = shaky(lobby, monkeypatch)
    view = await flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    exchange = SignIn.exchange

    async def then_lose(*args: Any) -> Any:
        grant = await exchange(*args)
        database.lose(1 if after_commit else 5, after_commit=after_commit)
        return grant

    monkeypatch.setattr(SignIn, "exchange", then_lose)
    done = await flows.paste(view.id, url, anything)
    assert (done.state, lobby.asked()) == ("completed", 1)
    (account,) = await lobby.accounts()
    assert account.credential_epoch == 1, "stored once"


async def test_tokens_that_cannot_be_stored_are_lost_aloud(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    database, flows = shaky(lobby, monkeypatch, store_seconds=0.0)
    view = await flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    exchange = SignIn.exchange

    async def then_lose(*args: Any) -> Any:
        grant = await exchange(*args)
        database.lose(1_000)
        return grant

    monkeypatch.setattr(SignIn, "exchange", then_lose)
    error = await refusal(flows.paste(view.id, url, anything))
    assert (error.code, error.status) == ("login_not_stored", 503)
    assert "Start the sign-in again" in error.message
    assert await lobby.accounts() == []


async def test_who_goes_away_does_not_stop_an_exchange(lobby: Lobby) -> None:
    view = await lobby.flows.start("browser", lobby.pool_id)
    url = await lobby.browse(view)
    paste = asyncio.create_task(lobby.flows.paste(view.id, url, anything))
    while lobby.asked() == 0:
        await asyncio.sleep(0)
    paste.cancel()
    await asyncio.wait({paste})
    await lobby.flows.close()
    assert (await lobby.flows.view(view.id)).state == "completed"
    assert len(await lobby.accounts()) == 1


# -- by device code


async def test_scenario_34_a_device_code_is_pending_until_somebody_approves_it(lobby: Lobby) -> None:
    view = await lobby.flows.start("device", lobby.pool_id)
    assert (view.state, view.interval_s, view.verification_url) == ("pending", 5, f"{lobby.origin}/codex/device")
    assert (await lobby.flows.poll(view.id, anything)).state == "pending"
    await lobby.approve(view, account="acct-2")
    assert (await lobby.flows.poll(view.id, anything)).state == "pending", "it is not time to ask again"
    assert lobby.asked(POLL) == 1
    lobby.later(5)
    done = await lobby.flows.poll(view.id, anything)
    assert (done.state, done.user_code) == ("completed", None)
    (account,) = await lobby.accounts()
    assert (account.label, account.onboarding) == ("acct-2", "device")
    assert lobby.linked == [account.id]


POLL = "/api/accounts/deviceauth/token"


async def test_scenario_34_slow_down_makes_the_interval_longer(lobby: Lobby) -> None:
    view = await lobby.flows.start("device", lobby.pool_id)
    await lobby.approve(view, slow_down=1)
    slowed = await lobby.flows.poll(view.id, anything)
    assert (slowed.state, slowed.interval_s) == ("pending", 10)
    lobby.later(6)
    await lobby.flows.poll(view.id, anything)
    assert lobby.asked(POLL) == 1
    lobby.later(4)
    await lobby.flows.poll(view.id, anything)
    assert lobby.asked(POLL) == 2


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [({"denied": True}, "failed", "access_denied"), ({"expired": True}, "expired", "expired_token")],
)
async def test_scenario_34_denied_and_expired_codes_end(
    lobby: Lobby, answer: dict[str, Any], state: str, code: str
) -> None:
    view = await lobby.flows.start("device", lobby.pool_id)
    await lobby.approve(view, **answer)
    done = await lobby.flows.poll(view.id, anything)
    assert done.error
    assert (done.state, done.error.code, done.user_code) == (state, code, None)
    assert (await lobby.row(view)).sealed is None
    assert await lobby.accounts() == []


async def test_a_poll_that_does_not_get_through_changes_nothing_but_is_told(lobby: Lobby) -> None:
    view = await lobby.flows.start("device", lobby.pool_id)
    nowhere = Flows(lobby.database, lobby.keyring, SignIn("http://127.0.0.1:9"), lobby.clock)
    waiting = await nowhere.poll(view.id, anything)
    assert waiting.error
    assert (waiting.state, waiting.error.code) == ("pending", "sign_in_unreachable")
    assert "asked again by itself" in waiting.error.detail
    lobby.later(5)
    assert (await lobby.flows.poll(view.id, anything)).error is None


async def test_a_device_sign_in_that_cannot_begin_says_so(lobby: Lobby) -> None:
    nowhere = Flows(lobby.database, lobby.keyring, SignIn("http://127.0.0.1:9"), lobby.clock)
    assert (await refusal(nowhere.start("device", lobby.pool_id))).code == "sign_in_unavailable"
    through = lobby.flows.start("device", lobby.pool_id, proxy="http://127.0.0.1:9")
    assert (await refusal(through)).code == "egress_proxy_failed"
    nonsense = await refusal(lobby.flows.start("device", lobby.pool_id, proxy="ftp://me:secret@x"))
    assert (nonsense.code, nonsense.status) == ("invalid_egress_proxy", 422)
    assert "secret" not in nonsense.message


async def test_two_processes_ask_one_at_a_time_and_link_once(lobby: Lobby) -> None:
    view = await lobby.flows.start("device", lobby.pool_id)
    other = lobby.another_process()
    await asyncio.gather(*(flows.poll(view.id, anything) for flows in (lobby.flows, other) * 5))
    assert lobby.asked(POLL) == 1
    await lobby.approve(view, account="acct-1")
    lobby.later(5)
    done = await asyncio.gather(*(flows.poll(view.id, anything) for flows in (lobby.flows, other) * 5))
    assert (lobby.asked(POLL), lobby.asked()) == (2, 1)
    assert {one.state for one in done} <= {"pending", "authorizing", "completed"}
    assert (await lobby.flows.view(view.id)).state == "completed"
    assert [account.credential_epoch for account in await lobby.accounts()] == [1]


async def test_scenario_34_who_is_not_accepted_leaves_no_credentials(lobby: Lobby) -> None:
    def accept(credentials: Credentials) -> None:
        if credentials.email != "invited@example.com":
            raise FlowRefused("invite_email_mismatch")

    view = await lobby.flows.start("device", lobby.pool_id)
    await lobby.approve(view, account="acct-1")
    done = await lobby.flows.poll(view.id, anything, accept)
    assert done.error
    assert (done.state, done.error.code, done.result) == ("failed", "invite_email_mismatch", None)
    assert await lobby.accounts() == []
    async with lobby.database.session() as session:
        assert await session.fetch(sa.select(account_secrets)) == []


async def test_what_joins_the_transaction_shares_its_fate(lobby: Lobby) -> None:
    async def spoil(session: Session, imported: Imported) -> None:
        raise FlowRefused("identity_conflict")

    view = await lobby.flows.start("device", lobby.pool_id)
    await lobby.approve(view, account="acct-1")
    done = await lobby.flows.poll(view.id, anything, also=spoil)
    assert done.error
    assert done.error.code == "identity_conflict"
    assert await lobby.accounts() == []


# -- relinking


async def needs_login(lobby: Lobby, view: FlowView) -> Any:
    """The account of a finished flow, with an operator's choices, in need of a new login."""
    assert view.result
    chosen = {"label": "Mine", "notes": "n", "state": "reauth_required", "refresh_refused": True}
    async with lobby.database.session() as session:
        await session.execute(sa.update(accounts).values(**chosen, refresh_error="invalid_grant"))
        await session.execute(sa.update(pool_accounts).values(priority=7, weight=2.5))
    return view.result.upstream_id


@pytest.mark.parametrize("kind", ["browser", "device"])
async def test_scenario_32_a_relink_keeps_the_account_and_gives_it_a_login(lobby: Lobby, kind: str) -> None:
    account_id = await needs_login(lobby, await lobby.link())
    before = await lobby.tokens(account_id)
    view = await lobby.flows.start(kind, lobby.pool_id, account_id=account_id)
    assert view.upstream_id == account_id
    if kind == "device":
        await lobby.approve(view, account="acct-1")
        done = await lobby.flows.poll(view.id, anything)
    else:
        done = await lobby.flows.paste(view.id, await lobby.browse(view), anything)
    assert done.result
    assert (done.result.upstream_id, done.result.created) == (account_id, False)
    (account,) = await lobby.accounts()
    (member,) = await lobby.members()
    assert (account.label, account.notes, account.state) == ("Mine", "n", "active")
    assert (account.credential_epoch, account.refresh_refused, account.refresh_error) == (2, False, None)
    assert (member.priority, member.weight) == (7, 2.5)
    assert await lobby.tokens(account_id) != before


async def test_a_relink_with_another_account_is_a_mismatch_and_changes_nothing(lobby: Lobby) -> None:
    account_id = await needs_login(lobby, await lobby.link())
    before = await lobby.tokens(account_id)
    view = await lobby.flows.start("browser", lobby.pool_id, account_id=account_id)
    error = await refusal(lobby.flows.paste(view.id, await lobby.browse(view, "acct-2"), anything))
    assert (error.code, error.status) == ("identity_mismatch", 409)
    assert "a***@example.com" in error.message
    (account,) = await lobby.accounts()
    assert (account.state, account.credential_epoch, await lobby.tokens(account_id)) == ("reauth_required", 1, before)


@pytest.mark.parametrize("state", ["paused", "disabled", "draining"])
async def test_what_an_operator_decided_survives_a_relink(lobby: Lobby, state: str) -> None:
    account_id = await needs_login(lobby, await lobby.link())
    async with lobby.database.session() as session:
        await session.execute(sa.update(accounts).values(state=state, state_reason="holiday"))
    await lobby.link(account_id=account_id)
    (account,) = await lobby.accounts()
    assert (account.state, account.state_reason, account.credential_epoch) == (state, "holiday", 2)


async def test_an_account_that_is_deleted_meanwhile_gets_no_login(lobby: Lobby) -> None:
    account_id = await needs_login(lobby, await lobby.link())
    view = await lobby.flows.start("browser", lobby.pool_id, account_id=account_id)
    url = await lobby.browse(view)
    async with lobby.database.session() as session:
        await session.execute(sa.delete(accounts))
    assert (await refusal(lobby.flows.paste(view.id, url, anything))).code == "not_found", "its flows went with it"
    assert await lobby.accounts() == []


async def test_an_account_of_others_is_not_given_a_login(lobby: Lobby) -> None:
    await lobby.link()
    view = await lobby.flows.start("browser", lobby.pool_id)
    error = await refusal(lobby.flows.paste(view.id, await lobby.browse(view), lambda pools: False))
    assert (error.code, error.status) == ("identity_conflict", 409)
    (account,) = await lobby.accounts()
    assert account.credential_epoch == 1


async def test_a_new_sign_in_of_a_known_account_is_a_new_login_for_it(lobby: Lobby) -> None:
    first = await lobby.link()
    again = await lobby.link()
    assert first.result
    assert again.result
    assert (again.result.upstream_id, again.result.created) == (first.result.upstream_id, False)


async def test_the_account_gets_the_proxy_that_it_signed_in_through(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    async def exchange(self: SignIn, code: str, verifier: str, redirect: str, proxy: str | None = None) -> Any:
        taken.append(proxy)
        return await real(self, code, verifier, redirect)

    real = SignIn.exchange
    monkeypatch.setattr(SignIn, "exchange", exchange)
    proxy = "socks5h://me:secret@127.0.0.1:1080"
    done = await lobby.link(proxy=proxy)
    assert done.result
    account_id = done.result.upstream_id
    await lobby.link(account_id=account_id)
    async with lobby.database.session() as session:
        sealed = await session.one(sa.select(account_secrets.c.sealed).where(account_secrets.c.kind == "egress"))
        assert (
            lobby.keyring.upstream.open(bytes(sealed.sealed), f"account_secrets:{account_id}:egress").decode() == proxy
        )
        await session.execute(
            sa.update(account_secrets).where(account_secrets.c.kind == "egress").values(sealed=b"\x01" * 64)
        )
    assert taken == [proxy, proxy], "a relink goes the account's own way"
    monkeypatch.setattr(SignIn, "exchange", real)
    monkeypatch.setattr(linking, "AGAIN_SECONDS", 0.0)
    error = await refusal(lobby.link(account_id=account_id))
    assert error.code == "egress_proxy_failed", "one that cannot be opened leads nowhere"


# -- time and secrecy


async def test_time_ends_flows_and_a_week_later_they_are_forgotten(lobby: Lobby) -> None:
    views = [await lobby.flows.start(kind, lobby.pool_id) for kind in ("browser", "device")]
    lobby.later(601)
    assert await lobby.flows.sweep() == 0
    rows = [await lobby.row(view) for view in views]
    assert [(row.state, row.sealed) for row in rows] == [("expired", None)] * 2
    lobby.later(7 * 86_400)
    assert await lobby.flows.sweep() == 2
    async with lobby.database.session() as session:
        assert await session.fetch(sa.select(oauth_flows)) == []


async def test_scenario_38_no_secret_of_a_sign_in_is_logged_stored_in_the_clear_or_told(
    lobby: Lobby, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []
    told: list[str] = []
    for kind in ("browser", "device"):
        view = await lobby.flows.start(kind, lobby.pool_id, proxy=None)
        row = await lobby.row(view)
        kept = secrets_of(lobby, row)
        secrets += [secret for secret in (kept.verifier, kept.state, kept.device_auth_id, kept.user_code) if secret]
        told += [repr(view), repr(kept), repr(row)]
        if kind == "browser":
            url = await lobby.browse(view)
            secrets += [url, url.partition("code=")[2].partition("&")[0]]
            told.append(str(await refusal(lobby.flows.paste(view.id, url.replace("1455", "1"), anything))))
            lobby.fault("unavailable")
            told.append((await refusal(lobby.flows.paste(view.id, url, anything))).message)
        else:
            await lobby.approve(view, account="acct-1")
            told.append(repr(await lobby.flows.poll(view.id, anything)))
    (account,) = await lobby.accounts()
    secrets += await lobby.tokens(account.id)
    told += [repr(account), repr(await lobby.row(view)), caplog.text]
    async with lobby.database.session() as session:
        told.append(repr(await session.fetch(sa.select(account_secrets))))
    found = [secret[:12] for secret in secrets for text in told if secret in text]
    assert found == []
    assert "without a login" in caplog.text, "the log is where it is looked for"


async def test_every_code_says_what_to_do(lobby: Lobby) -> None:
    for code, (status, message) in CODES.items():
        assert 400 <= status < 600, code
        assert message.endswith((".", "again.")), code
        assert len(message) > 30, code


async def operator(lobby: Lobby) -> Any:
    identity = uuid4()
    row = {"id": identity, "email": f"{identity.hex}@example.com", "display_name": "O", "password_hash": "-"}
    async with lobby.database.session() as session:
        await session.execute(sa.insert(operators).values(**row))
    return identity
