"""The reads a snapshot is built from."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import account_secrets, accounts, api_keys, instance_settings, pool_accounts, pools

CHANGED = "codex_pooler_config"  # the NOTIFY channel that says "read again"

POOLS = Query(
    sa.select(
        *(pools.c[name] for name in ("id", "name", "status", "strategy", "max_attempts", "switches", "model_aliases"))
    )
)

MEMBERS = Query(
    sa.select(
        pool_accounts.c.pool_id,
        pool_accounts.c.account_id,
        pool_accounts.c.enabled,
        pool_accounts.c.priority,
        pool_accounts.c.weight,
        pool_accounts.c.max_concurrency,
        pool_accounts.c.max_primary_percent,
        pool_accounts.c.max_secondary_percent,
    ).order_by(pool_accounts.c.pool_id, pool_accounts.c.account_id)
)

_access, _egress = account_secrets.alias("access"), account_secrets.alias("egress")

ACCOUNTS = Query(
    sa.select(
        accounts.c.id,
        accounts.c.label,
        accounts.c.state,
        accounts.c.chatgpt_account_id,
        accounts.c.access_expires_at,
        accounts.c.residency,
        accounts.c.plan_type,
        accounts.c.max_concurrency,
        accounts.c.reset_policy,
        accounts.c.credential_kind,
        accounts.c.is_fedramp,
        accounts.c.routing_override,
        accounts.c.backend_origin,
        _access.c.sealed.label("access_sealed"),
        _egress.c.sealed.label("egress_sealed"),
    ).select_from(
        accounts.outerjoin(
            _access, sa.and_(_access.c.account_id == accounts.c.id, _access.c.kind == "access")
        ).outerjoin(_egress, sa.and_(_egress.c.account_id == accounts.c.id, _egress.c.kind == "egress"))
    )
)

KEYS = Query(
    sa.select(
        api_keys.c.id,
        api_keys.c.name,
        api_keys.c.pool_id,
        api_keys.c.digest,
        api_keys.c.status,
        api_keys.c.expires_at,
        api_keys.c.allowed_models,
        api_keys.c.enforced_model,
        api_keys.c.enforced_effort,
        api_keys.c.maximum_effort,
        api_keys.c.enforced_service_tier,
        api_keys.c.max_input_tokens,
        api_keys.c.max_output_tokens,
        api_keys.c.max_concurrency,
        api_keys.c.allowed_networks,
        api_keys.c.limits,
        api_keys.c.revoked_epoch,
    )
)

SETTINGS = Query(sa.select(instance_settings.c.name, instance_settings.c.value))
