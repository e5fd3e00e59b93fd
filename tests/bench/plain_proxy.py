"""The simplest proxy one would write with aiohttp: it does nothing but pass on.  The gateway is compared with it."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse, TCPConnector, WSMsgType, web

UPSTREAM = web.AppKey("UPSTREAM", str)
CLIENT = web.AppKey("CLIENT", ClientSession)
NOT_PASSED_ON = {"connection", "transfer-encoding", "keep-alive", "upgrade", "content-length", "host", "authorization"}


async def pass_on(request: web.Request) -> web.StreamResponse:
    """Send the request to the upstream and its answer back, chunk by chunk."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await pass_on_websocket(request)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON}
    headers["Authorization"] = "Bearer upstream-token"
    address = request.app[UPSTREAM] + request.path_qs
    async with request.app[CLIENT].request(
        request.method, address, data=await request.read(), headers=headers
    ) as answer:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    return response


async def pass_on_websocket(request: web.Request) -> web.WebSocketResponse:
    """Join the client's websocket with one to the upstream."""
    client = web.WebSocketResponse(compress=False, max_msg_size=0)
    await client.prepare(request)
    address = request.app[UPSTREAM] + request.path_qs
    headers = {"Authorization": "Bearer upstream-token"}
    async with request.app[CLIENT].ws_connect(address, headers=headers, compress=0, max_msg_size=0) as upstream:
        upward = asyncio.create_task(pump(client, upstream))
        try:
            await pump(upstream, client)
        finally:
            upward.cancel()
    return client


Socket = web.WebSocketResponse | ClientWebSocketResponse


async def pump(source: Socket, sink: Socket) -> None:
    """Pass messages on until the source closes."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
    await sink.close()


async def serve(port: int, upstream: str) -> None:
    """Serve on loopback until terminated."""
    app = web.Application(client_max_size=64 << 20)
    app[UPSTREAM] = upstream
    app[CLIENT] = ClientSession(
        connector=TCPConnector(limit=0),
        auto_decompress=False,
        timeout=ClientTimeout(total=None),
        raise_for_status=False,
    )
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
