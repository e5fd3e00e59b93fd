"""The two pages that a person sees at the simulated sign-in server: choosing an account, and typing a device code."""

from html import escape
from urllib.parse import urlencode

from aiohttp import web

from codex_pooler.simulator.door import WORLD, arrive
from codex_pooler.simulator.world import World

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Simulated sign-in</title>
<style>body {{ font: 1rem/1.5 system-ui; max-width: 30rem; margin: 10vh auto; padding: 0 1rem }}
form, li {{ margin: .5rem 0 }} input, select, button {{ font: inherit; padding: .3rem .6rem }}</style>
<h1>Simulated sign-in</h1>
{body}
</html>
"""


def sign_in_page(world: World, request: web.Request) -> web.Response:
    """A link for every account, and one that denies."""
    links = [({"auto_account": name}, f"Sign in as {one.email}") for name, one in world.accounts.items()]
    links.append(({"deny": "1"}, "Deny"))
    items = (f'<li><a href="?{_with(request, **more)}">{escape(text)}</a></li>' for more, text in links)
    return _page(f"<ul>{''.join(items)}</ul>")


async def device_page(request: web.Request) -> web.Response:
    """`GET /codex/device`: where a person types the code."""
    world = request.app[WORLD]
    arrive(world, request)
    return _page(_form(world, ""))


async def approve_device(request: web.Request) -> web.Response:
    """`POST /codex/device`: the form of that page."""
    world = request.app[WORLD]
    arrive(world, request)
    given = await request.post()
    code, name = str(given.get("user_code", "")).strip().upper(), str(given.get("account", ""))
    device = next((one for one in world.devices.values() if one["user_code"] == code), None)
    if device is None or name not in {"", *world.accounts}:
        return _page(_form(world, "This code is not known."))
    device |= {"account": name} if name else {"denied": True}
    return _page("<p>Done. You can close this page.</p>")


def _form(world: World, told: str) -> str:
    options = (f'<option value="{escape(name)}">{escape(one.email)}</option>' for name, one in world.accounts.items())
    return (
        f'<p role="alert">{escape(told)}</p><form method="post">'
        '<p><label>Code <input name="user_code" required autofocus autocomplete="off"></label></p>'
        f'<p><label>Account <select name="account">{"".join(options)}'
        '<option value="">(deny)</option></select></label></p>'
        "<button>Continue</button></form>"
    )


def _with(request: web.Request, **more: str) -> str:
    return escape(urlencode({**request.query, **more}))


def _page(body: str) -> web.Response:
    return web.Response(text=_PAGE.format(body=body), content_type="text/html")
