"""What a worker shows of itself over HTTP: /metrics, /healthz, /readyz."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


@asynccontextmanager
async def serving(host: str, port: int, unready: Callable[[], str | None]) -> AsyncIterator[int | None]:
    """Serve while open; yield the port (0 takes a free one, negative serves nothing and yields None).

    `unready` says why the worker is not ready, None where it is.
    """
    if port < 0:
        yield None
        return

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readiness(_: web.Request) -> web.Response:
        why_not = unready()
        return web.Response(text=f"{why_not or 'ready'}\n", status=503 if why_not else 200)

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", health), web.get("/readyz", readiness)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
