"""One account's try at a call: asked, waited for, and asked once more when only its login was out of date."""

from __future__ import annotations

import asyncio

from codex_pooler.gateway.call_course import CallCourse, CallRequest
from codex_pooler.gateway.choosing import doubt_login, with_newer_login
from codex_pooler.gateway.classify import Verdict, classify
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.learn import learn
from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.http1 import ProtocolError
from codex_pooler.quota.evidence import from_headers
from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.plain import ANSWERED, TOO_LARGE, Collector, PlainRequest, send_plain
from codex_pooler.upstream.pool import ConnectFailed

ASK_AGAIN_SECONDS = 0.25  # between two questions whether something is ready
GONE = "client_disconnected"


async def attempt(course: CallCourse, account: Account) -> tuple[Ending, Verdict]:
    """Ask one account, holding its lease meanwhile; once more with a new token when the backend refuses the old."""
    call, house = course.call, course.house
    with house.known.leases.hold(account.id, call.key.pool.id):
        house.known.health.begin_probe(account.id, call.route_class, moment().monotonic)
        try:
            ending, verdict = await _try(course, account)
            if verdict.renew and (renewed := await with_newer_login(house, account)):
                ending, verdict = await _try(course, renewed)
                if verdict.renew:
                    doubt_login(house, renewed, verdict.code)
        except asyncio.CancelledError:
            house.known.health.probe_ended(account.id, call.route_class)
            raise
        learn(house.known, account.id, call.route_class, call.model or "", verdict, moment())
    return ending, verdict


async def _try(course: CallCourse, account: Account) -> tuple[Ending, Verdict]:
    """One attempt, with its line in the log."""
    started = moment().monotonic
    try:
        ending = await _ask_until_ready(course, account)
    except asyncio.CancelledError:
        course.note(account, started, "cancelled", None, GONE)
        raise
    verdict = classify(ending)
    _observe(course.house, account, ending)
    outcome = "served" if not verdict.code else "failed_over" if verdict.move else "failed"
    course.note(account, started, outcome, ending.status, verdict.code or None)
    return ending, verdict


def _observe(house: House, account: Account, ending: Ending) -> None:
    """What the backend says of the account's limits beside its answer."""
    now = moment().wall
    if ending.head and (observation := from_headers(ending.head.headers, now)):
        house.known.quotas.observe(account.id, observation, now)


async def _ask_until_ready(course: CallCourse, account: Account) -> Ending:
    loop, call = asyncio.get_running_loop(), course.call
    deadline = loop.time() + call.ready_seconds
    while True:
        ending = await _ask(course.house, account, call)
        if ending.kind != "completed" or call.ready(ending.body) or loop.time() >= deadline:
            return ending
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _ask(house: House, account: Account, call: CallRequest) -> Ending:
    ending, warm = await _exchange(house, account, call, warm=call.replayable)
    if warm and ending.kind == "lost" and ending.head is None:  # kept warm for too long
        ending, _ = await _exchange(house, account, call, warm=False)
    return ending


async def _exchange(house: House, account: Account, call: CallRequest, *, warm: bool) -> tuple[Ending, bool]:
    """How it ended, and whether it went out on a connection that had served before."""
    collector = Collector(asyncio.get_running_loop())
    request = PlainRequest(call.method, call.path, call.body, call.headers)
    try:
        await send_plain(house.backend, account, request, collector, warm=warm)
        await _patience(collector, call.first_byte_seconds or house.budgets.first_byte, house.budgets.gap)
    except ConnectFailed as exc:
        return Ending("unsent", reason=exc.code), False
    except ProtocolError:
        return Ending("unsent", reason="unsendable_request"), False
    finally:
        collector.stop("left")
    used = collector.connection is not None and collector.connection.turns_served != 1
    return _ending(collector), used


async def _patience(collector: Collector, first_byte_seconds: float, gap_seconds: float) -> None:
    """Wait for the answer; between any two signs of life of the backend there may be only so much time."""
    loop = asyncio.get_running_loop()
    while not collector.done.done():
        budget = gap_seconds if collector.head else first_byte_seconds
        left = collector.heard_at + budget - loop.time()
        if left <= 0:
            collector.stop("upstream_idle_timeout" if collector.head else "upstream_first_byte_timeout")
            return
        await asyncio.wait({collector.done}, timeout=left)


def _ending(collector: Collector) -> Ending:
    reason, head = collector.done.result(), collector.head
    if reason == ANSWERED and head:
        kind = "completed" if head.status < 400 else "http_error"
        return Ending(kind, head=head, body=collector.body)
    if reason == TOO_LARGE:
        return Ending("truncated", head=head, reason="upstream_response_too_large")
    if reason.endswith("_timeout"):
        return Ending("timeout", head=head, reason=reason)
    return Ending("lost", head=head, reason=f"upstream_{reason}")
