"""What the backend refuses to run: a pure reading of a request against the account's rights and the known rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codex_pooler.simulator.answers import Refusal, bad_request, detail, usage_limit
from codex_pooler.simulator.faults import WEBSOCKET
from codex_pooler.simulator.models import Catalogue
from codex_pooler.simulator.world import Account, World

Item = Mapping[str, Any]

_KNOWN = frozenset(
    {
        "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "store", "stream",
        "include", "prompt_cache_key", "text", "client_metadata", "service_tier",
    }
)  # fmt: skip
_KNOWN_IN_FRAMES = _KNOWN | {"type", "generate", "previous_response_id"}
_EFFORTS = ("none", "low", "medium", "high", "xhigh", "max")
_TIERS = ("auto", "default", "flex", "priority")
_ROLES = ("user", "assistant", "developer")
_SEALED = frozenset({"reasoning", "compaction", "compaction_summary", "context_compaction"})
_ID_PREFIX = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
_CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call", "local_shell_call": "shell call"}
_OUTPUTS = frozenset(f"{kind}_output" for kind in _CALLS)
_SPOKEN = ("output_text", "refusal")
_GIVEN = ("input_text", "input_image", "input_file", "input_audio", "encrypted_content")
_NAMED_TOOLS = frozenset({"function", "custom", "namespace"})
_TOOLS_OF_THE_API = frozenset({"web_search_preview", "file_search", "code_interpreter", "computer_use_preview", "mcp"})
_IMAGE_STARTS = ("https://", "data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a turn, as the rules look at it. `items` is the whole conversation, this input last."""

    world: World
    account: Account
    catalogue: Catalogue
    body: Mapping[str, Any]
    items: Sequence[Item]
    fresh: Sequence[Item]
    input_tokens: int
    transport: str


def refusal(asked: Asked) -> Refusal | None:
    """The first rule the request breaks, or None when the backend would run it."""
    return next((no for rule in _RULES if (no := rule(asked)) is not None), None)


def shape_refusal(body: Mapping[str, Any], transport: str) -> Refusal | None:
    """What is wrong with the outer shape, so that nothing inside can be looked at."""
    if not isinstance(body.get("input"), list):
        return detail(400, "Input must be a list")
    if not all(isinstance(item, dict) for item in body["input"]):
        return detail(400, "Input items must be objects")
    known = _KNOWN_IN_FRAMES if transport == WEBSOCKET else _KNOWN
    unknown = next((name for name in body if name not in known), None)
    if unknown is not None:
        return detail(400, f"Unsupported parameter: {unknown}")
    if body.get("stream") is not True and transport != WEBSOCKET:
        return detail(400, "Stream must be set to true")
    return detail(400, "Store must be set to false") if body.get("store") is not False else None


def limit_refusal(world: World, account: Account) -> Refusal | None:
    """The 429 of an account that has used up one of its windows."""
    full = account.exhausted()
    if full is None:
        return None
    now = world.clock()
    headers = {"x-codex-rate-limit-reached-type": "rate_limit_reached"}
    for slot, window in account.windows.items():
        headers |= window.as_headers(slot, now)
    return Refusal(429, usage_limit(account.plan, full.reset_at, now), headers)


def _limit(asked: Asked) -> Refusal | None:
    return limit_refusal(asked.world, asked.account)


def _model(asked: Asked) -> Refusal | None:
    model = asked.body.get("model")
    if asked.catalogue.find(asked.account, model) is not None:
        return None
    return detail(400, f"The '{model}' model is not supported when using Codex with a ChatGPT account.")


def _types(asked: Asked) -> Refusal | None:
    for name, kind in (("instructions", str), ("tools", list), ("include", list), ("text", dict), ("reasoning", dict)):
        value = asked.body.get(name)
        if value is not None and not isinstance(value, kind):
            return bad_request(f"Invalid type for '{name}'.", "invalid_type", name)
    return None


def _effort(asked: Asked) -> Refusal | None:
    effort = (asked.body.get("reasoning") or {}).get("effort")
    if effort is None or effort in _EFFORTS:
        return None
    supported = ", ".join(f"'{one}'" for one in _EFFORTS)
    text = f"Unsupported value: '{effort}' is not supported with this model. Supported values are: {supported}."
    return bad_request(text, "unsupported_value", "reasoning.effort")


def _tier(asked: Asked) -> Refusal | None:
    tier = asked.body.get("service_tier")
    return detail(400, f"Unsupported service_tier: {tier}") if tier is not None and tier not in _TIERS else None


def _tools(asked: Asked) -> Refusal | None:
    """Tools are flat and named, and those that only run behind the public API are unknown."""
    for index, tool in enumerate(asked.body.get("tools") or ()):
        where = f"tools[{index}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(kind, str):
            return bad_request(f"Missing required parameter: '{where}.type'.", "missing_required_parameter", where)
        if kind in _TOOLS_OF_THE_API:
            return detail(400, f"Unsupported tool type: {kind}")
        if kind in _NAMED_TOOLS and not tool.get("name"):
            text = f"Missing required parameter: '{where}.name'."
            return bad_request(text, "missing_required_parameter", f"{where}.name")
    return None


def _items(asked: Asked) -> Refusal | None:
    return next((no for index, item in enumerate(asked.fresh) if (no := _item(asked, index, item)) is not None), None)


def _item(asked: Asked, index: int, item: Item) -> Refusal | None:
    kind = item.get("type", "message")
    where = f"input[{index}]"
    if kind == "item_reference":
        return bad_request(f"Item with id '{item.get('id')}' not found. Items are not persisted.", None, where)
    if kind == "message" and item.get("role") == "system":
        return detail(400, "System messages are not allowed")
    if kind == "message" and item.get("role") not in _ROLES:
        return bad_request(f"Invalid value: '{item.get('role')}'.", "invalid_value", f"{where}.role")
    prefix = _ID_PREFIX.get(kind)
    if prefix and item.get("id") and not str(item["id"]).startswith(prefix):
        text = f"Invalid '{where}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        return bad_request(text, "invalid_value", f"{where}.id")
    if kind in _SEALED:
        return _sealed(asked, item, where)
    if kind in _OUTPUTS and not item.get("call_id"):
        text = f"Missing required parameter: '{where}.call_id'."
        return bad_request(text, "missing_required_parameter", f"{where}.call_id")
    if kind == "message" and (wrong := _content(item, where)) is not None:
        return wrong
    return next((no for part in _parts(item) if (no := _part(asked, part, where)) is not None), None)


def _sealed(asked: Asked, item: Item, where: str) -> Refusal | None:
    blob = item.get("encrypted_content")
    if not blob:
        return bad_request(f"Item '{item.get('id')}' has no encrypted content and is not stored.", None, where)
    if asked.world.mint.opens(asked.account.account_id, blob):
        return None
    text = "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed."
    return bad_request(text, "invalid_encrypted_content")


def _content(item: Item, where: str) -> Refusal | None:
    """What the assistant said and what it was told have parts of different types."""
    known = _SPOKEN if item.get("role") == "assistant" else _GIVEN
    content = item.get("content")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in known:
            supported = " and ".join(f"'{one}'" for one in known)
            text = f"Invalid value: '{kind}'. Supported values are: {supported}."
            return bad_request(text, "invalid_value", f"{where}.content[{index}]")
    return None


def _parts(item: Item) -> Iterator[Item]:
    for name in ("content", "output"):
        value = item.get(name)
        if isinstance(value, list):
            yield from (part for part in value if isinstance(part, dict))


def _part(asked: Asked, part: Item, where: str) -> Refusal | None:
    file_id = part.get("file_id")
    if file_id is not None and file_id not in asked.account.files:
        return bad_request(f"File '{file_id}' was not found.", "file_not_found", where)
    url = part.get("image_url")
    if isinstance(url, str) and not url.startswith(_IMAGE_STARTS):
        return bad_request("The image data you provided does not represent a valid image.", "invalid_image_url", where)
    return None


def _pairs(asked: Asked) -> Refusal | None:
    """Every tool output answers a call, and every call has its output before the turn goes on."""
    calls = {item.get("call_id"): _CALLS[item["type"]] for item in asked.items if item.get("type") in _CALLS}
    answers = {item.get("call_id") for item in asked.items if item.get("type") in _OUTPUTS}
    orphan = next((call_id for call_id in answers if call_id not in calls), None)
    if orphan is not None:
        return bad_request(f"No tool call found for function call output with call_id {orphan}.", None, "input")
    waiting = next((call_id for call_id in calls if call_id not in answers), None)
    if waiting is not None:
        return bad_request(f"No tool output found for {calls[waiting]} {waiting}.", None, "input")
    return None


def _room(asked: Asked) -> Refusal | None:
    model = asked.catalogue.find(asked.account, asked.body.get("model")) or {}
    if asked.input_tokens <= model.get("max_context_window", asked.input_tokens):
        return None
    text = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return bad_request(text, "context_length_exceeded", "input")


_RULES: tuple[Callable[[Asked], Refusal | None], ...] = (
    _types,
    _model,
    _limit,
    _effort,
    _tier,
    _tools,
    _items,
    _pairs,
    _room,
)
