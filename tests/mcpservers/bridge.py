"""HTTP before a server that is a command: `python bridge.py PORT COMMAND…`. Each message is passed on as it is, so
whatever is read through it is the server's. A session is a process: whoever shakes hands gets a fresh one."""

import asyncio
import contextlib
import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LONGEST_LINE = 1 << 22


class Bridge:
    """One command, and whoever asks it, one at a time."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def answer(self, request: Request) -> Response:
        message = json.loads(await request.body())
        async with self._lock:
            if self._process is None or message["method"] == "initialize":
                await self._begin()
            return await self._passed_on(message)

    async def _begin(self) -> None:
        await self.end()
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, limit=LONGEST_LINE
        )

    async def _passed_on(self, message: dict[str, object]) -> Response:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()
        while "id" in message:
            line = await self._process.stdout.readline()
            if not line:
                return Response(status_code=502)
            said = json.loads(line)
            if "method" not in said and said.get("id") == message["id"]:
                return Response(line, media_type="application/json")
        return Response(status_code=202)

    async def end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def _serve(port: int, command: list[str]) -> None:
    bridge = Bridge(command)
    app = Starlette(routes=[Route("/mcp", bridge.answer, methods=["POST"])])
    try:
        await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")).serve()
    finally:
        await bridge.end()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2:]))
