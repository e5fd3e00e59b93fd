"""How a setting is declared: its kind, default, range, unit and help, all that its check, form and docs are made of."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints
from urllib.parse import urlsplit

from codex_pooler.snapshot.networks import NetworkSet, network_set

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
MOST_ITEMS = 1000
LONGEST_NAME = 160
LONGEST_SECRET = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting accepts and what it is for.

    ``kind``: integer, boolean, text, url, choice, choices, networks, numbers (name -> integer), secret (kept sealed,
    never shown) or group (members with rules of their own).  ``applies``: from when a change counts.  ``example``: what
    a text looks like, for people.  A setting that ``guards`` is unreadable (None) rather than at its default when what
    is stored is not acceptable, so that a mistake opens nothing.
    """

    kind: str
    title: str
    help: str
    applies: str = "new requests"
    unit: str | None = None
    low: int | None = None
    high: int | None = None
    among: tuple[str, ...] = ()
    pattern: str = ""
    example: str = ""
    guards: bool = False

    def having(self, **more: Any) -> Rule:
        """The same rule with more said."""
        return replace(self, **more)


class Refusal(NamedTuple):
    """One value that is not acceptable; ``pointer`` is an RFC 6901 JSON pointer."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret setting as it is stored: sealed, so that holding it here gives nothing away; empty when not set."""

    sealed: bytes = field(default=b"", repr=False)

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self.sealed)


NO_SECRET = Secret()


class Entry(NamedTuple):
    """One setting in a flat list; ``key`` is its dotted path inside the group."""

    key: str
    rule: Rule
    default: Any


def whole(title: str, help: str, low: int, high: int, unit: str | None = None, applies: str = "new requests") -> Rule:
    """The rule of a whole number from ``low`` to ``high``."""
    return Rule("integer", title, help, applies, unit, low, high)


def members(title: str) -> Rule:
    """The rule of a setting that consists of settings."""
    return Rule("group", title, "")


_known: dict[type, Mapping[str, Rule]] = {}  # reading annotations is slow


def rules_of(group: type) -> Mapping[str, Rule]:
    """The rules of a dataclass whose fields are declared ``name: Annotated[type, Rule(...)] = default``."""
    if group not in _known:
        hints = get_type_hints(group, include_extras=True).items()
        _known[group] = {name: rule for name, hint in hints for rule in getattr(hint, "__metadata__", ())}
    return _known[group]


def entries(default: Any, prefix: str = "") -> Iterator[Entry]:
    """Every setting below ``default``, groups taken apart."""
    for name, rule in rules_of(type(default)).items():
        value = getattr(default, name)
        if rule.kind == "group":
            yield from entries(value, f"{prefix}{name}.")
        else:
            yield Entry(prefix + name, rule, value)


def read(default: T, stored: object, pointer: str = "") -> tuple[T, list[Refusal]]:
    """``default`` with what ``stored`` says, and what of that is not acceptable and therefore left out."""
    rules, values, refusals = rules_of(type(default)), {}, list[Refusal]()
    if not isinstance(stored, Mapping):
        closed = {name: None for name, rule in rules.items() if rule.guards}
        return replace(default, **closed), [Refusal(pointer, "Send an object.")]
    for name, given in stored.items():
        below = f"{pointer}/{_escaped(name)}"
        if name not in rules:
            refusals.append(Refusal(below, "There is no such setting."))
        elif rules[name].kind == "group":
            values[name], wrong = read(getattr(default, name), given, below)
            refusals += wrong
        else:
            values |= _one(name, rules[name], given, below, refusals)
    return replace(default, **values), refusals


def _one(name: str, rule: Rule, given: object, pointer: str, refusals: list[Refusal]) -> dict[str, Any]:
    try:
        return {name: KINDS[rule.kind].load(rule, given)}
    except ValueError as exc:
        refusals.append(Refusal(pointer, str(exc)))
        return {name: None} if rule.guards else {}


def plain(value: Any) -> dict[str, Any]:
    """The group as JSON-able values for people; of a secret only whether it is set."""
    shown: dict[str, Any] = {}
    for name, rule in rules_of(type(value)).items():
        held = getattr(value, name)
        shown[name] = plain(held) if rule.kind == "group" else KINDS[rule.kind].show(held)
    return shown


def sealed_patch(group: type, patch: Mapping[str, Any], seal: Callable[[str, str], bytes]) -> dict[str, Any]:
    """A patch of people's with its secrets as they are stored.  ``seal`` gets a secret setting's name and its new
    value.  What is no secret, and what is not acceptable as one, is left as it came for ``read`` to judge."""
    secrets = {name for name, rule in rules_of(group).items() if rule.kind == "secret"}
    return {name: _sealed(name, given, seal) if name in secrets else given for name, given in patch.items()}


def _sealed(name: str, given: object, seal: Callable[[str, str], bytes]) -> object:
    if given is None:
        return None
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_SECRET or not given.isprintable():
        return False
    return base64.b64encode(seal(name, given)).decode()


def deviations(value: Any, default: Any) -> dict[str, Any]:
    """What differs from ``default``, JSON-able; reading it again gives ``value``."""
    differing: dict[str, Any] = {}
    for name, rule in rules_of(type(default)).items():
        held, usual = getattr(value, name), getattr(default, name)
        if held != usual:
            differing[name] = deviations(held, usual) if rule.kind == "group" else KINDS[rule.kind].dump(held)
    return differing


def merged(stored: object, patch: object) -> Any:
    """``stored`` after a JSON merge patch (RFC 7396): null takes away, objects are merged, all else is replaced."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(stored) if isinstance(stored, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _integer(rule: Rule, raw: object) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not _within(rule, raw):
        raise ValueError(f"Use a whole number from {rule.low} to {rule.high}.")
    return raw


def _within(rule: Rule, number: int) -> bool:
    return (rule.low is None or number >= rule.low) and (rule.high is None or number <= rule.high)


def _boolean(rule: Rule, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("Use true or false.")
    return raw


def _text(rule: Rule, raw: object) -> str:
    if not isinstance(raw, str) or not re.fullmatch(rule.pattern, raw):
        raise ValueError(f"Use {rule.example}." if rule.example else f"Use the form {rule.pattern}")
    return raw


def _url(rule: Rule, raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > 2000 or not raw.isascii() or not raw.isprintable() or " " in raw:
        raise ValueError("Use an address in plain ASCII, or nothing.")
    parts = urlsplit(raw)
    if raw and (parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc):
        raise ValueError("Use an address that begins with https:// and holds no password, or nothing.")
    return raw


def _choice(rule: Rule, raw: object) -> str:
    if not isinstance(raw, str) or raw not in rule.among:
        raise ValueError(f"Use one of {', '.join(rule.among)}.")
    return raw


def _choices(rule: Rule, raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(each, str) and each in rule.among for each in raw):
        raise ValueError(f"Use a list out of {', '.join(rule.among)}.")
    return tuple(name for name in rule.among if name in raw)


def _networks(rule: Rule, raw: object) -> NetworkSet:
    if not isinstance(raw, list) or len(raw) > MOST_ITEMS:
        raise ValueError(f"Use a list of at most {MOST_ITEMS} addresses or networks.")
    for each in raw:
        try:
            network_set([each] if isinstance(each, str) else [""])
        except ValueError:
            shown = each[:60] if isinstance(each, str) and each.isprintable() else "one entry"
            raise ValueError(f"{shown} is no address or network, such as 10.0.0.0/8 or 2001:db8::/32.") from None
    return network_set(raw)


def _numbers(rule: Rule, raw: object) -> Mapping[str, int]:
    if not isinstance(raw, Mapping) or len(raw) > MOST_ITEMS:
        raise ValueError(f"Use an object of at most {MOST_ITEMS} names with whole numbers.")
    if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable() for name in raw):
        raise ValueError(f"Use names of 1 to {LONGEST_NAME} printable characters.")
    return MappingProxyType({name: _integer(rule, number) for name, number in raw.items()})


def _secret(rule: Rule, raw: object) -> Secret:
    try:
        return Secret(base64.b64decode(raw, validate=True)) if isinstance(raw, str) else _no_secret()
    except (ValueError, binascii.Error):
        return _no_secret()


def _no_secret() -> Secret:
    raise ValueError(f"Use a line of 1 to {LONGEST_SECRET} characters, or null for none.")


def _escaped(name: object) -> str:
    return str(name)[:60].replace("~", "~0").replace("/", "~1")


class Kind(NamedTuple):
    """``load`` reads what ``dump`` wrote, or raises ValueError with a sentence for people; ``show`` is for people.
    Both give JSON-able values."""

    load: Callable[[Rule, Any], Any]
    dump: Callable[[Any], Any]
    show: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _kind(load: Callable[[Rule, Any], Any], dump: Callable[[Any], Any]) -> Kind:
    """Shown as it is stored."""
    return Kind(load, dump, dump)


KINDS: Mapping[str, Kind] = {
    "integer": _kind(_integer, _same),
    "boolean": _kind(_boolean, _same),
    "text": _kind(_text, _same),
    "url": _kind(_url, _same),
    "choice": _kind(_choice, _same),
    "choices": _kind(_choices, list),
    "networks": _kind(_networks, lambda networks: None if networks is None else list(networks.written)),
    "numbers": _kind(_numbers, dict),
    "secret": Kind(_secret, lambda held: base64.b64encode(held.sealed).decode(), lambda held: {"is_set": held.is_set}),
}
