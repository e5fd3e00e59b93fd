"""A login that is refused even after its renewal needs a person; one that is not goes on."""

from __future__ import annotations

from codex_pooler.jobs.doubted_logins import DoubtedLogins
from tests.accounts.conftest import Scene, scene

__all__ = ["scene"]


async def test_scenario_30_a_login_refused_after_its_renewal_is_given_up(scene: Scene) -> None:
    doubts = DoubtedLogins(scene.refresher)
    await doubts.look_into(scene.account_id, scene.token)
    assert scene.exchanges == 1
    assert (await scene.row()).state == "active"
    renewed = (await scene.stored())["access"]
    await doubts.look_into(scene.account_id, renewed)
    assert scene.exchanges == 1
    assert (await scene.row()).state == "reauth_required"


async def test_a_late_doubt_about_the_old_token_changes_nothing(scene: Scene) -> None:
    doubts = DoubtedLogins(scene.refresher)
    await doubts.look_into(scene.account_id, scene.token)
    await doubts.look_into(scene.account_id, scene.token)
    assert scene.exchanges == 1
    assert (await scene.row()).state == "active"


async def test_a_renewal_that_is_refused_settles_the_matter(scene: Scene) -> None:
    scene.fault("token_revoked", times=None)
    await DoubtedLogins(scene.refresher).look_into(scene.account_id, scene.token)
    assert (await scene.row()).state == "reauth_required"
