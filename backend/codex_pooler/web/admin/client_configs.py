"""Ready-made client configurations with this instance's address and a pool's models; they hold no key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_pooler.storage import queries_pools as queries
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.pools import SWITCH_DEFAULTS, require_pool
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.clients import ClientConfigPage, ClientConfigQuery
from codex_pooler.web.clients.facts import facts_of
from codex_pooler.web.clients.tools import TOOLS, setup

api = Api("client-configs")


@api.endpoint(
    "GET", "/client-configs", needs="pools:read", query=ClientConfigQuery, returns=ClientConfigPage, errors=(404,)
)
async def list_client_configs(call: Call) -> Any:
    """How to point each client, or the one asked for, at this instance and at a pool's models."""
    pools = await _pools(call)
    facts = facts_of(
        call.context.config.origin,
        [call.context.live.catalog(pool.id) for pool in pools],
        call.query.get("model"),
        websockets=any({**SWITCH_DEFAULTS, **pool.switches}["websockets"] for pool in pools) or not pools,
    )
    tools = (call.query["tool"],) if "tool" in call.query else TOOLS
    return common.page([setup(tool, facts) for tool in tools])


async def _pools(call: Call) -> Sequence[Any]:
    """The pool in question, or all that the caller sees.  Raises Problem 404 for one they do not."""
    async with call.context.database.session() as session:
        if "pool_id" in call.query:
            return [await require_pool(call, session, call.query["pool_id"], "pool_id")]
        return await session.fetch(queries.LIST, **seen(call.caller.scope.visible))
