"""Sign-in: PKCE, device codes, personal tokens, and refresh tokens that hold once."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from codex_pooler.simulator.oauth import challenge_of
from codex_pooler.simulator.tokens import AUTH_CLAIM, CLIENT_ID
from tests.simulator.lab import Lab, request_for

REDIRECT = "http://localhost:1455/auth/callback"
VERIFIER = "v" * 64


async def code_for(lab: Lab, **more: str) -> str:
    query = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "state": "st",
        "auto_account": "acct-1",
    } | more
    async with lab.http.get(f"{lab.url}/oauth/authorize", params=query, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["st"]
    return back["code"][0]


async def exchange(lab: Lab, code: str, verifier: str = VERIFIER) -> tuple[int, Any]:
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code}
    form |= {"redirect_uri": REDIRECT, "code_verifier": verifier}
    return await lab.call("POST", "/oauth/token", None, data=form)


async def refresh(lab: Lab, token: str) -> tuple[int, Any]:
    body = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": token}
    return await lab.call("POST", "/oauth/token", None, json=body)


async def test_code_with_its_verifier_becomes_tokens_once(lab: Lab) -> None:
    code = await code_for(lab)
    status, tokens = await exchange(lab, code)
    assert status == 200
    claims = lab.world.mint.read_jwt(tokens["id_token"])
    assert claims is not None
    assert claims["email"] == "acct-1@example.com"
    assert claims[AUTH_CLAIM]["chatgpt_account_id"] == lab.account().account_id
    assert (await exchange(lab, code))[1]["error"]["code"] == "invalid_grant"


async def test_wrong_verifier_is_refused(lab: Lab) -> None:
    assert (await exchange(lab, await code_for(lab), "w" * 64))[0] == 400


async def test_refresh_token_rotates_and_its_reuse_ends_the_session(lab: Lab) -> None:
    tokens = lab.world.issue(lab.account())
    status, fresh = await refresh(lab, tokens["refresh_token"])
    assert status == 200
    assert fresh["refresh_token"] != tokens["refresh_token"]
    status, answer = await refresh(lab, tokens["refresh_token"])
    assert (status, answer["error"]["code"]) == (400, "refresh_token_reused")
    assert (await refresh(lab, fresh["refresh_token"]))[1]["error"]["code"] == "refresh_token_invalidated"
    record = await lab.control("GET", "/record")
    assert [one["account"] for one in record["reused_refresh_tokens"]] == ["acct-1"]
    headers = {"authorization": f"Bearer {fresh['access_token']}"}
    status, answer = await lab.call("GET", "/backend-api/wham/usage", None, headers=headers)
    assert (status, answer["error"]["code"]) == (401, "token_revoked")


async def test_form_refresh_works_and_unknown_tokens_do_not(lab: Lab) -> None:
    form = {"client_id": CLIENT_ID, "grant_type": "refresh_token"}
    form["refresh_token"] = lab.world.issue(lab.account())["refresh_token"]
    assert (await lab.call("POST", "/oauth/token", None, data=form))[0] == 200
    for token in ("rt_abc.def", "nonsense", ""):
        assert (await refresh(lab, token))[1]["error"]["code"] == "invalid_grant"


async def test_revoked_session_ends_and_the_next_sign_in_works(lab: Lab) -> None:
    old = lab.headers()
    assert (await lab.control("POST", "/accounts/acct-1/revoke"))["revoked"] == 1
    status, answer = await lab.call("GET", "/backend-api/wham/usage", None, headers=old)
    assert (status, answer["error"]["code"]) == (401, "token_revoked")
    assert (await lab.call("GET", "/backend-api/wham/usage"))[0] == 200


@pytest.mark.parametrize(
    ("field", "code"), [("logged_out", "refresh_token_invalidated"), ("deactivated", "account_deactivated")]
)
async def test_account_that_is_out_cannot_refresh(lab: Lab, field: str, code: str) -> None:
    token = lab.world.issue(lab.account())["refresh_token"]
    await lab.control("POST", "/accounts/acct-1", {field: True})
    status, answer = await refresh(lab, token)
    assert (status, answer["error"]["code"]) == (401, code)


async def test_token_endpoint_meets_faults_without_spending_the_token(lab: Lab) -> None:
    token = lab.world.issue(lab.account())["refresh_token"]
    await lab.fault("unavailable", route="token")
    assert (await refresh(lab, token))[0] == 503
    assert (await refresh(lab, token))[0] == 200


async def test_device_code_is_pending_until_approved(lab: Lab) -> None:
    path = "/api/accounts/deviceauth"
    _, begun = await lab.call("POST", f"{path}/usercode", None, json={"client_id": CLIENT_ID})
    assert begun["interval"] == "5"
    ask = {"device_auth_id": begun["device_auth_id"], "user_code": begun["user_code"]}
    assert (await lab.call("POST", f"{path}/token", None, json=ask))[0] == 403
    await lab.control("POST", "/devices", {"user_code": begun["user_code"], "account": "acct-2"})
    status, granted = await lab.call("POST", f"{path}/token", None, json=ask)
    assert status == 200
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": granted["authorization_code"]}
    form |= {"redirect_uri": f"{lab.url}/deviceauth/callback", "code_verifier": granted["code_verifier"]}
    status, _ = await lab.call("POST", "/oauth/token", None, data=form)
    assert status == 200
    assert (await lab.call("POST", f"{path}/token", None, json=ask))[0] == 404


async def test_personal_token_says_who_it_is_and_serves_turns(lab: Lab) -> None:
    headers = {"authorization": f"Bearer {lab.account().personal_token}"}
    _, me = await lab.call("GET", "/api/accounts/v1/user-auth-credential/whoami", None, headers=headers)
    assert me["chatgpt_account_id"] == lab.account().account_id
    status, _ = await lab.call("POST", "/backend-api/codex/responses", None, headers=headers, json=request_for())
    assert status == 200


async def test_device_codes_can_be_slowed_down_denied_and_ended(lab: Lab) -> None:
    path = "/api/accounts/deviceauth"

    async def begun(**answer: Any) -> str:
        _, one = await lab.call("POST", f"{path}/usercode", None, json={"client_id": CLIENT_ID})
        await lab.control("POST", "/devices", {"user_code": one["user_code"], **answer})
        ask = {"device_auth_id": one["device_auth_id"], "user_code": one["user_code"]}
        return str((await lab.call("POST", f"{path}/token", None, json=ask))[1]["error"]["code"])

    assert await begun(slow_down=1) == "slow_down"
    assert await begun(denied=True) == "access_denied"
    assert await begun(expired=True) == "expired_token"
    assert len((await lab.control("GET", "/devices"))["devices"]) == 3


async def test_a_person_can_sign_in_deny_and_type_a_device_code(lab: Lab) -> None:
    query = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "http://localhost:1455/auth/callback",
        "code_challenge": "c",
        "code_challenge_method": "S256",
        "state": "s",
    }
    page = {"params": query, "headers": {"accept": "text/html"}}
    _, text = await lab.call("GET", "/oauth/authorize", None, **page)
    assert "auto_account=acct-1" in text
    assert "deny=1" in text
    denied = lab.http.get(f"{lab.url}/oauth/authorize", params=query | {"deny": "1"}, allow_redirects=False)
    async with denied as answer:
        assert answer.headers["location"] == f"{query['redirect_uri']}?error=access_denied&state=s"
    _, one = await lab.call("POST", "/api/accounts/deviceauth/usercode", None, json={"client_id": CLIENT_ID})
    form = {"user_code": one["user_code"].lower(), "account": "acct-2"}
    assert "not known" in (await lab.call("POST", "/codex/device", None, data=form | {"user_code": "X"}))[1]
    assert "Done" in (await lab.call("POST", "/codex/device", None, data=form))[1]
    assert (await lab.control("GET", "/devices"))["devices"][0]["account"] == "acct-2"
