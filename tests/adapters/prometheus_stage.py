"""A small server that speaks as much of Prometheus's HTTP API as an instant query takes, or misbehaves as told."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, bytes, Mapping[str, str]]


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    query: str
    headers: Mapping[str, str]


@dataclass
class PrometheusStage:
    """`told` is the value of each series by namespace/name; `reply` answers instead where it is set."""

    told: dict[str, float | str] = field(default_factory=dict)
    reply: Callable[[Asked], Reply] | None = None
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.reply is not None:
            return self.reply(asked)
        result = []
        for key, value in self.told.items():
            namespace, _, name = key.partition("/")
            result.append(series(namespace, name, str(value)))
        return in_json(vector(result))

    @contextmanager
    def open(self, trust: ssl.SSLContext | None = None) -> Iterator["PrometheusStage"]:
        """Serve until the context ends, in a thread of its own."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        if trust is not None:
            server.socket = trust.wrap_socket(server.socket, server_side=True)
        scheme = "http" if trust is None else "https"
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def series(namespace: str, name: str, value: str) -> dict[str, Any]:
    return {"metric": {"namespace": namespace, "name": name}, "value": [time.time(), value]}


def vector(result: list[Any], **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def in_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}


def _handler(stage: PrometheusStage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query).get("query", [""])[0]
            status, body, headers = stage.answer(Asked(parts.path, query, dict(self.headers)))
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:
                return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    return Handler
