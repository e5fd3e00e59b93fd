"""Instance settings: what they are, what they are set to, and who would be let in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from codex_pooler.mail.delivery import MailFailed, deliver
from codex_pooler.mail.letters import message, trial
from codex_pooler.mail.office import server_of
from codex_pooler.snapshot.rules import (
    KINDS,
    Refusal,
    Rule,
    deviations,
    entries,
    merged,
    plain,
    read,
    rules_of,
    sealed_patch,
)
from codex_pooler.snapshot.settings import DEFAULTS, GROUPS, Group, Ingress, secret_place
from codex_pooler.storage import queries_settings as queries
from codex_pooler.storage.audit import FieldChange
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.admin.api import UNCHANGING, Api, Call, Handler
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.admin.schemas.mail import MailTrial, MailTrialResult
from codex_pooler.web.admin.schemas.settings import (
    GROUP_SHAPES,
    PATCH_SHAPES,
    AllSettings,
    FirewallCheck,
    FirewallVerdict,
    SettingsSchema,
)
from codex_pooler.web.ingress import Origin, verdict

api = Api("settings")
TITLES = {"smtp": "Mail"}


@api.endpoint("GET", "/settings", needs="settings:read", returns=AllSettings)
async def get_settings(call: Call) -> Any:
    """Every group of settings."""
    async with call.context.database.session() as session:
        rows = {row.name: row for row in await session.fetch(queries.LIST)}
    return {name: _view(name, rows.get(name)) for name in GROUPS}


@api.endpoint("GET", "/settings/schema", needs="settings:read", returns=SettingsSchema)
async def get_settings_schema(call: Call) -> Any:
    """What can be set: kinds, ranges, units, defaults and help, for forms and documents."""
    return {"groups": [_rules(name, default) for name, default in GROUPS.items()]}


@api.endpoint(
    "POST",
    "/settings/firewall/check",
    needs="settings:write",
    body=FirewallCheck,
    returns=FirewallVerdict,
    audit=UNCHANGING,
)
async def check_firewall(call: Call) -> Any:
    """Say whether a client would be let in, with the settings as they are or as they would be."""
    async with call.context.database.session() as session:
        row = await session.one(queries.ONE, group="ingress")
    ingress = _changed("ingress", row.value if row else {}, call.body.get("values", {}))
    assert isinstance(ingress, Ingress)
    given = call.body.get("headers", {})
    forwarded_for, real_ip = ([given[name]] if name in given else [] for name in ("x_forwarded_for", "x_real_ip"))
    found = verdict(Origin(call.body["ip"], forwarded_for, real_ip), ingress)
    return {
        "resolved_ip": str(found.address) if found.address else None,
        "allowed": found.reason is None,
        "reason": found.reason,
        "inspected_hops": found.hops,
    }


@api.endpoint(
    "POST",
    "/settings/smtp/test",
    needs="settings:write",
    body=MailTrial,
    returns=MailTrialResult,
    audit=UNCHANGING,
)
async def try_smtp(call: Call) -> Any:
    """Send a mail with the stored settings, whether or not mail is switched on, and wait for the server's answer."""
    async with call.context.database.session() as session:
        row = await session.one(queries.ONE, group="smtp")
    settings, _ = read(DEFAULTS.smtp, row.value if row else {})
    try:
        server = server_of(settings, call.context.keyring)
        await deliver(message(trial(call.body["to"], call.context.config.origin), server.sender), server)
    except MailFailed as exc:
        raise Problem(422, exc.code, str(exc)) from None
    return {"to": call.body["to"], "host": server.host, "port": server.port}


def _getting(name: str) -> Handler:
    async def get_group(call: Call) -> Any:
        async with call.context.database.session() as session:
            return _view(name, await session.one(queries.ONE, group=name))

    get_group.__name__, get_group.__doc__ = f"get_{name}_settings", f"The {name} settings."
    return get_group


def _updating(name: str) -> Handler:
    async def update_group(call: Call) -> Any:
        async with call.changing("settings", "updated") as changing:
            await changing.session.execute(queries.ENSURE, group=name)
            row = await changing.session.one(queries.LOCK, group=name)
            call.check_version(row.version)
            patch = sealed_patch(type(GROUPS[name]), call.body["values"], partial(_seal, call.context.keyring, name))
            value = _changed(name, row.value, patch)
            await changing.session.execute(queries.UPDATE, group=name, value=deviations(value, GROUPS[name]))
            before, _ = read(GROUPS[name], row.value)
            changing.label = name
            changing.changes.extend(_told(before, value))
            return _view(name, await changing.session.one(queries.ONE, group=name))

    update_group.__name__, update_group.__doc__ = f"update_{name}_settings", f"Change {name} settings."
    return update_group


HIDDEN_KINDS = ("secret", "url")  # an address may hold a password


def _told(before: Group, after: Group) -> Iterator[FieldChange]:
    """What the audit trail says of a change."""
    was = {entry.key: entry.default for entry in entries(before)}
    for key, rule, value in entries(after):
        if value == was[key]:
            continue
        dump = KINDS[rule.kind].dump
        if rule.kind in HIDDEN_KINDS:
            yield FieldChange(key, shown=False)
        else:
            yield FieldChange(key, None if was[key] is None else dump(was[key]), None if value is None else dump(value))


def _seal(keyring: Keyring, group: str, name: str, secret: str) -> bytes:
    return keyring.settings.seal(secret.encode(), secret_place(group, name))


for _name in GROUPS:
    _path, _returns = f"/settings/{_name}", GROUP_SHAPES[_name]
    api.endpoint("GET", _path, needs="settings:read", returns=_returns)(_getting(_name))
    api.endpoint(
        "PATCH",
        _path,
        needs="settings:write",
        body=PATCH_SHAPES[_name],
        returns=_returns,
        versioned=True,
        audit="instance_settings.update",
    )(_updating(_name))


def _changed(name: str, stored: Any, patch: Mapping[str, Any]) -> Group:
    """The group after a merge patch.  Raises Problem 422 for what the patch gets wrong; what was stored wrongly
    before does not stand in the way of other changes."""
    _, before = read(GROUPS[name], stored)
    value, after = read(GROUPS[name], merged(stored, patch))
    wrong = [*read(GROUPS[name], _said(patch))[1], *(one for one in after if one not in before), *value.conflicts()]
    if wrong:
        raise _refused(wrong)
    return value


def _said(patch: Mapping[str, Any]) -> dict[str, Any]:
    """A patch without what it only takes away."""
    return {
        name: _said(value) if isinstance(value, Mapping) else value
        for name, value in patch.items()
        if value is not None
    }


def _refused(wrong: Sequence[Refusal]) -> Problem:
    errors = list(dict.fromkeys((f"/values{one.pointer}", "invalid", one.message) for one in wrong))
    many = "1 field needs" if len(errors) == 1 else f"{len(errors)} fields need"
    return Problem(422, "validation_failed", f"{many} attention.", errors=errors)


def _view(name: str, row: Any) -> dict[str, Any]:
    default = GROUPS[name]
    value, refusals = read(default, row.value if row else {})
    wrong = [*refusals, *value.conflicts()]
    return {
        "group": name,
        "version": row.version if row else 1,
        "updated_at": row.updated_at if row and row.version > 1 else None,
        "values": plain(value),
        "changed": list(_changed_keys(value, default)),
        "warnings": [{"pointer": f"/values{one.pointer}", "code": "ignored", "message": one.message} for one in wrong],
    }


def _changed_keys(value: Any, default: Any) -> Iterator[str]:
    usual = {entry.key: entry.default for entry in entries(default)}
    return (entry.key for entry in entries(value) if entry.default != usual[entry.key])


def _rules(name: str, default: Group) -> dict[str, Any]:
    below = [(key, rule) for key, rule in rules_of(type(default)).items() if rule.kind == "group"]
    sections = [
        {"key": f"{outer}.{inner}", "title": rule.title}
        for outer, _ in below
        for inner, rule in rules_of(type(getattr(default, outer))).items()
    ]
    return {
        "name": name,
        "title": TITLES.get(name, name.capitalize()),
        "help": type(default).__doc__,
        "sections": sections,
        "fields": [_rule(*entry) for entry in entries(default)],
    }


def _rule(key: str, rule: Rule, default: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": rule.kind,
        "title": rule.title,
        "help": rule.help,
        "unit": rule.unit,
        "default": KINDS[rule.kind].show(default),
        "min": rule.low,
        "max": rule.high,
        "enum": list(rule.among),
        "applies": rule.applies,
    }
