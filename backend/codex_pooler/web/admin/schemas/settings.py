"""Shapes of instance settings, made from the settings' own declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from codex_pooler.snapshot.rules import Rule, rules_of
from codex_pooler.snapshot.settings import GROUPS
from codex_pooler.web.admin.schemas.common import FieldProblem, Instant, Shape, count, line, list_of, nested, out, text

STRINGS = {"type": "array", "items": {"type": "string"}}
FORMS: Mapping[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "url": {"type": "string"},
    "choice": {"type": "string"},
    "choices": STRINGS,
    "networks": STRINGS,
    "numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
    "secret": {"type": "object", "properties": {"is_set": {"type": "boolean"}}, "required": ["is_set"]},
}
KINDS = tuple(FORMS)
REASONS = (
    "invalid_trusted_proxy_rules",
    "invalid_forwarded_bytes",
    "forwarded_entry_too_long",
    "invalid_forwarded_entry",
    "forwarded_hop_limit_exceeded",
    "forwarded_chain_unresolved",
    "forwarded_header_missing",
    "forwarded_depth_unsatisfied",
    "duplicate_x_real_ip",
    "invalid_allowlist_rules",
    "not_allowed",
)
_made: dict[str, type[Schema]] = {}


def _form(rule: Rule, *, null: bool, patch: bool) -> dict[str, Any]:
    """A setting's JSON Schema; that it may be null is added to its type elsewhere."""
    form = {
        **FORMS["text" if patch and rule.kind == "secret" else rule.kind],
        "description": f"{rule.title}: {rule.help}" + (f" ({rule.unit})" if rule.unit else ""),
    }
    if rule.kind == "integer":
        form |= {"minimum": rule.low, "maximum": rule.high}
    if rule.kind == "choice":
        form["enum"] = [*rule.among, None] if null else list(rule.among)
    if rule.kind == "choices":
        form["items"] = {"type": "string", "enum": list(rule.among)}
    return form


def _shape(group: Any, *, patch: bool) -> type[Schema]:
    """A patch's values are only looked at for their names here: snapshot/rules.py knows what they may be."""
    name = f"{type(group).__name__}{'Patch' if patch else 'Settings'}"
    if name not in _made:
        rules = rules_of(type(group))
        members: dict[str, Any] = {key: _member(getattr(group, key), rule, patch) for key, rule in rules.items()}
        _made[name] = Shape.from_dict(members, name=name)
    return _made[name]


def _member(default: Any, rule: Rule, patch: bool) -> fields.Field[Any]:
    if rule.kind == "group":
        return fields.Nested(_shape(default, patch=patch), required=not patch, allow_none=patch)
    null = patch or rule.guards
    return fields.Raw(required=not patch, allow_none=null, metadata=_form(rule, null=null, patch=patch))


def values_of(name: str) -> type[Schema]:
    """The values of a group in an answer."""
    return _shape(GROUPS[name], patch=False)


def changes_of(name: str) -> type[Schema]:
    """Some values of a group; null puts a setting back to its default."""
    return _shape(GROUPS[name], patch=True)


def patch_of(name: str) -> type[Schema]:
    """What to change about a group."""
    return Shape.from_dict(
        {"values": fields.Nested(changes_of(name), required=True)}, name=f"{type(GROUPS[name]).__name__}GroupPatch"
    )


def group_of(name: str) -> type[Schema]:
    """A group as it is answered: ``changed`` are the settings that are not at their default, ``warnings`` what is
    stored and does not count because it is not acceptable."""
    members: dict[str, Any] = {
        "group": text(among=(name,)),
        "version": count(),
        "updated_at": out(Instant, null=True),
        "values": nested(values_of(name)),
        "changed": list_of(fields.String()),
        "warnings": list_of(FieldProblem),
    }
    return Shape.from_dict(members, name=f"{type(GROUPS[name]).__name__}Group")


GROUP_SHAPES = {name: group_of(name) for name in GROUPS}
PATCH_SHAPES = {name: patch_of(name) for name in GROUPS}
AllSettings = Shape.from_dict({name: nested(shape) for name, shape in GROUP_SHAPES.items()}, name="AllSettings")


class SettingRule(Shape):
    """One setting; ``key`` is its dotted path in the group's values, ``applies`` from when a change counts."""

    key = text()
    type = text(among=KINDS)
    title = text()
    help = text()
    unit = text(null=True)
    default = out(fields.Raw)
    min = count(null=True)
    max = count(null=True)
    enum = list_of(fields.String())
    applies = text()


class SettingSection(Shape):
    """A heading inside a group, for the settings whose key begins with its ``key``."""

    key = text()
    title = text()


class GroupRules(Shape):
    """The settings of a group."""

    name = text(among=tuple(GROUPS))
    title = text()
    help = text()
    sections = list_of(SettingSection)
    fields = list_of(SettingRule)


class SettingsSchema(Shape):
    """Everything that can be set."""

    groups = list_of(GroupRules)


class Headers(Shape):
    """What a proxy would have written."""

    x_forwarded_for = line(0, 4000, data_key="x-forwarded-for")
    x_real_ip = line(0, 4000, data_key="x-real-ip")


class FirewallCheck(Shape):
    """A connection to try; ``values`` are settings that are not saved yet."""

    ip = line(1, 64, required=True)
    headers = fields.Nested(Headers)
    values = fields.Nested(changes_of("ingress"))


class FirewallVerdict(Shape):
    """What the firewall would say."""

    resolved_ip = text(null=True)
    allowed = out(fields.Boolean)
    reason = out(fields.String, null=True, validate=validate.OneOf(REASONS))
    inspected_hops = count()
