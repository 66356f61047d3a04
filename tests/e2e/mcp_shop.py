"""A server on the official SDK whose tools are what a file says at the moment, and which wants to know who asks:
`python mcp_shop.py PORT TOOLS.json`."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.child import spawn
from controlplane.waiting import wait_until

TESTS = Path(__file__).resolve().parents[1]
WHO = "X-Login"


@dataclass(frozen=True)
class Shop:
    """A running server."""

    url: str
    tools_path: Path

    def exposes(self, tools: Sequence[dict[str, Any]]) -> None:
        """From now on, these."""
        written = self.tools_path.with_suffix(".next")
        written.write_text(json.dumps(tools))
        written.replace(self.tools_path)


@contextmanager
def open_shop(workdir: Path, tools: Sequence[dict[str, Any]]) -> Iterator[Shop]:
    """A server with these tools, while the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    shop = Shop(f"http://127.0.0.1:{port}/mcp", workdir / f"shop-{port}.json")
    shop.exposes(tools)
    with (workdir / f"shop-{port}.log").open("ab") as log:
        command = [sys.executable, __file__, str(port), str(shop.tools_path)]
        process = spawn(command, env=os.environ | {"PYTHONPATH": str(TESTS)}, stdout=log, stderr=log)
        try:
            wait_until(lambda: _answers(process, shop.url), 30, "the shop answers")
            yield shop
        finally:
            process.terminate()
            process.wait(10)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, "the shop ended"
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _serve(port: int, tools_path: Path) -> None:
    import uvicorn
    from mcp import types
    from mcp.server import Server
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse

    def listed() -> list[types.Tool]:
        return [types.Tool.model_validate(each) for each in json.loads(tools_path.read_text())]

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed())

    class WhoAsks:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            given = dict(scope.get("headers") or ())
            known = given.get(WHO.lower().encode(), b"").startswith(b"v-")
            refused = scope["type"] == "http" and not known
            await (PlainTextResponse("who?", 401) if refused else self._app)(scope, receive, send)

    app = Server("shop", version="3.1", on_list_tools=list_tools).streamable_http_app()
    app.user_middleware.insert(0, Middleware(WhoAsks))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
