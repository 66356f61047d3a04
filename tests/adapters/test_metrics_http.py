"""A scrape brings the text, or says why there is none; nothing that answers leads it elsewhere or fills memory."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from leasehold.adapters import metrics_http
from leasehold.adapters.metrics_http import scrape
from leasehold.core.faults import TryLater

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


def saying(status: int, text: str, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(text.encode())

    return answer


def test_the_whole_text_comes() -> None:
    text = "leasehold_leader 1\n" * 20_000
    with serving(saying(200, text)) as url:
        assert asyncio.run(scrape(url)) == text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (saying(404, "gone"), "answers 404"),
        (saying(302, "", Location="http://127.0.0.1:9/"), "answers 302"),
    ],
)
def test_another_answer_is_a_fault(answer: Answer, words: str) -> None:
    with serving(answer) as url, pytest.raises(TryLater, match=words):
        asyncio.run(scrape(url))


def test_an_answer_without_an_end_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_http, "LONGEST_BYTES", 1000)
    with serving(saying(200, "x" * 2000)) as url, pytest.raises(TryLater, match="more than 1000 bytes"):
        asyncio.run(scrape(url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/metrics", "https://127.0.0.1:9/", "no-url", "ftp://x/"])
def test_what_cannot_be_reached_is_a_fault_that_names_it(url: str) -> None:
    with pytest.raises(TryLater, match="cannot be read") as found:
        asyncio.run(scrape(url))
    assert url in found.value.message
