"""Declare an endpoint once: who may call it, what it takes, what it answers; the check and the document follow."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web
from marshmallow import Schema, ValidationError

from codex_pooler.operators.access import Caller
from codex_pooler.operators.audit import Actor, Event, FieldChange, actor_of, field_changes, record
from codex_pooler.storage import queries_audit
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.database import UNAVAILABLE, Session
from codex_pooler.web.admin.live import BROADCASTER, Change
from codex_pooler.web.admin.problems import Problem, not_found, request_id, validation_problem
from codex_pooler.web.admin.reading import load_query, parse_json, read_limited
from codex_pooler.web.context import CONTEXT, WebContext
from codex_pooler.web.ingress import client_ip

log = logging.getLogger(__name__)
PUBLIC = "public"  # nobody is identified
VISITOR = "visitor"  # whoever it is, known or not
SIGNED_IN = "signed_in"  # any operator
UNCHANGING = "-"  # the audit of an endpoint that only asks, although by POST
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_LIMIT_BYTES = 1024 * 1024
JSON_TYPES = {"PATCH": ("application/json", "application/merge-patch+json")}


@dataclass(frozen=True)
class Answer:
    """A result that differs from the endpoint's usual status, or carries headers."""

    body: Any
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request after every check: what a handler works with."""

    request: web.Request
    context: WebContext
    endpoint: Endpoint
    anybody: Caller | None
    ids: Mapping[str, UUID]
    query: Mapping[str, Any]
    body: Any

    @property
    def caller(self) -> Caller:
        """The operator; only for endpoints that need one."""
        if self.anybody is None:
            raise Problem(401, "not_authenticated", "Sign in, or send an operator access token.")
        return self.anybody

    @property
    def expected_version(self) -> int | None:
        """The version in ``If-Match``; None when absent or ``*``.  Raises Problem 400 when it is something else."""
        given = self.request.headers.get("If-Match", "*").strip()
        if given == "*":
            return None
        number = given.strip('"')
        if not number.isdecimal() or len(number) > 9:
            raise Problem(400, "invalid_filter", 'Send If-Match as the version you read, such as "7", or *.')
        return int(number)

    def check_version(self, current: int) -> None:
        """Raises Problem 412 when the caller edits something older than ``current``."""
        if self.expected_version not in (None, current):
            raise Problem(
                412, "version_conflict", "Somebody changed this meanwhile. Load it again and repeat the change."
            )

    @property
    def actor(self) -> Actor:
        """Who asks, for the audit trail; with their address if that is kept."""
        settings = self.context.settings()
        kept = settings.privacy.store_client_ip
        return actor_of(self.anybody, client_ip(self.request, settings.ingress) or None if kept else None)

    async def record(self, session: Session, change: Changing, *, action: str | None = None) -> None:
        """Write the change into the audit trail, under the endpoint's own action unless told another."""
        named = action or self.endpoint.audit
        if named in (None, UNCHANGING):
            return
        kind = named.partition(".")[0]
        target = change.ids[0] if change.ids else None
        await record(
            session,
            Event(
                named,
                TARGETS.get(kind, kind),
                target,
                change.label or await _label_of(session, kind, target),
                tuple(change.pool_ids),
                change.actor or self.actor,
                change.outcome,
                change.reason,
                {"request_id": request_id(self.request), **change.details},
                tuple(change.changes),
            ),
        )

    @asynccontextmanager
    async def changing(self, topic: str, kind: str, *, action: str | None = None) -> AsyncIterator[Changing]:
        """A transaction on configuration, with its line in the audit trail: other processes are told with it, this
        one before the answer goes out."""
        async with self.context.database.transaction() as session:
            changing = Changing(session)
            yield changing
            await self.record(session, changing, action=action)
            await announce_config(session)
        try:
            await self.context.refresh_snapshot()
        except UNAVAILABLE:  # the change is made and must be answered; the snapshot follows by notification
            log.warning("the snapshot could not be refreshed after a change")
        change = Change(topic, kind, tuple(changing.ids), tuple(changing.pool_ids))
        self.request.app[BROADCASTER].publish(change)


TARGETS = {"auth": "session"}  # where it is not what the action's name begins with


@dataclass
class Changing:
    """What is being changed, for those who watch and for the audit trail."""

    session: Session
    ids: list[UUID] = field(default_factory=list)
    pool_ids: list[UUID] = field(default_factory=list)
    label: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    changes: list[FieldChange] = field(default_factory=list)
    outcome: str = "success"
    reason: str | None = None
    actor: Actor | None = None

    def touched(self, identity: UUID, pools: Iterable[UUID] = (), *, label: str | None = None) -> None:
        """``identity`` is the target; its label is looked up at the end where none is given."""
        self.ids.append(identity)
        self.pool_ids.extend(pools)
        self.label = self.label or label

    def changed(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """What differs goes into the audit trail; values only of fields that are known to be harmless."""
        self.changes.extend(field_changes(before, after))


async def _label_of(session: Session, kind: str, target: UUID | None) -> str | None:
    query = queries_audit.LABELS.get(kind)
    row = await session.one(query, target_id=target) if query and target else None
    return row.label if row else None


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API."""

    method: str
    path: str
    needs: str
    handler: Handler
    query: type[Schema] | None
    body: type[Schema] | None
    returns: type[Schema] | None
    status: int
    also: tuple[int, ...]
    errors: tuple[int, ...]
    tag: str
    versioned: bool
    optional_body: bool
    media_type: str
    audit: str | None
    most_bytes: int

    @property
    def is_unsafe(self) -> bool:
        return self.method not in SAFE_METHODS

    @property
    def name(self) -> str:
        return getattr(self.handler, "__name__", "")

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    async def answer(self, request: web.Request, caller: Caller | None) -> web.StreamResponse:
        """Validate, run the handler and write its result.  Raises Problem."""
        call = Call(
            request=request,
            context=request.config_dict[CONTEXT],
            endpoint=self,
            anybody=caller,
            ids={name: _identity(request.match_info[name]) for name in self.path_names if name.endswith("_id")},
            query=load_query(self.query, request),
            body=await self._load_body(request),
        )
        return self._write(await self.handler(call))

    async def _load_body(self, request: web.Request) -> Any:
        if self.body is None or (self.optional_body and not request.body_exists):
            return None
        if request.content_type not in JSON_TYPES.get(self.method, ("application/json",)):
            raise Problem(415, "unsupported_media_type", "Send JSON with Content-Type: application/json.")
        document = parse_json(await read_limited(request, self.most_bytes))
        try:
            return self.body().load(document)
        except ValidationError as exc:
            raise validation_problem(exc.messages) from None

    def _write(self, result: Any) -> web.StreamResponse:
        if isinstance(result, web.StreamResponse):
            return result
        answer = result if isinstance(result, Answer) else Answer(result, self.status)
        if self.returns is None:
            return web.Response(status=204)
        shaped = self.returns().dump(answer.body)
        headers = dict(answer.headers)
        if isinstance(shaped.get("version"), int):
            headers["ETag"] = f'"{shaped["version"]}"'
        return web.Response(
            status=answer.status, body=orjson.dumps(shaped), content_type="application/json", headers=headers
        )


@dataclass
class Api:
    """The endpoints of one page of the console."""

    tag: str
    endpoints: list[Endpoint] = field(default_factory=list)

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        needs: str,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        returns: type[Schema] | None = None,
        status: int = 200,
        also: tuple[int, ...] = (),
        errors: tuple[int, ...] = (),
        versioned: bool = False,
        optional_body: bool = False,
        media_type: str = "application/json",
        audit: str | None = None,
        most_bytes: int = BODY_LIMIT_BYTES,
    ) -> Callable[[Handler], Handler]:
        """Register the decorated handler.  ``needs`` is a capability or one of the words above: no default.

        ``audit`` is the action that a change is written down as; everything but GET has one, or says UNCHANGING.
        """

        def register(handler: Handler) -> Handler:
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=path,
                    needs=needs,
                    handler=handler,
                    query=query,
                    body=body,
                    returns=returns,
                    status=status,
                    also=also,
                    errors=errors,
                    tag=self.tag,
                    versioned=versioned,
                    optional_body=optional_body,
                    media_type=media_type,
                    audit=audit,
                    most_bytes=most_bytes,
                )
            )
            return handler

        return register


def _identity(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None
