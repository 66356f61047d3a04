"""Every log line is JSON, and no secret is in it."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from leasehold.api.reasons import Reason
from leasehold.core.sealed import Sealed
from leasehold.telemetry.logs import configure_logs

TOKEN = "hvs.CAESIJf0abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers, root.level, (sys.unraisablehook, threading.excepthook)
    stream = io.StringIO()
    configure_logs("INFO", stream)
    yield stream
    root.handlers, root.level = handlers, level
    sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_level_logger_and_time(stream: io.StringIO) -> None:
    structlog.get_logger("leasehold.engine").info("minted", generation=4, reason=Reason.FIRST_MINT)
    (line,) = written(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "minted",
        "level": "info",
        "logger": "leasehold.engine",
        "generation": 4,
        "reason": "FirstMint",
    }


def test_a_library_writes_the_same_lines(stream: io.StringIO) -> None:
    logging.getLogger("kopf").warning("handler %s", "x")
    (line,) = written(stream)
    assert (line["event"], line["level"], line["logger"]) == ("handler x", "warning", "kopf")


@pytest.mark.parametrize(("logger", "level"), [("kopf._core.reactor", "warning"), ("kopfer", "error")])
def test_a_watch_that_fails_gives_no_alarm(stream: io.StringIO, logger: str, level: str) -> None:
    try:
        raise ConnectionResetError("cut")
    except ConnectionResetError:
        logging.getLogger(logger).exception("Watcher has failed")
    (line,) = written(stream)
    assert (line["event"], line["level"]) == ("Watcher has failed", level)
    assert ("exception" in line) is (level == "error")


def test_watching_a_large_fleet_does_not_write_a_line_for_each_event(stream: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("Handler 'tell' succeeded.")
    logging.getLogger("kopf.objects").warning("Handler 'tell' failed.")
    assert [line["event"] for line in written(stream)] == ["Handler 'tell' failed."]


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    structlog.get_logger("leasehold").debug("x")
    logging.getLogger("kopf").debug("x")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        Sealed(TOKEN),
        {"auth": {"client_token": TOKEN}},
        {TOKEN: 1},
        [("x", TOKEN)],
        {TOKEN},
        TOKEN.encode(),
        ValueError(f"refused {TOKEN}"),
        [[[[[[[[[[[TOKEN]]]]]]]]]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_in_any_value_is_taken_out(stream: io.StringIO, value: object) -> None:
    structlog.get_logger("leasehold").info("x", value=value)
    assert len(written(stream)) == 1
    assert "CAES" not in stream.getvalue()


def test_a_secret_in_the_message_or_the_arguments_is_taken_out(stream: io.StringIO) -> None:
    structlog.get_logger("leasehold").info(f"got {TOKEN}")
    logging.getLogger("urllib3").info("GET %s", f"/v1/x?token={TOKEN}")
    assert len(written(stream)) == 2
    assert "CAES" not in stream.getvalue()


@pytest.mark.parametrize("logger", ["structlog", "stdlib"])
def test_a_secret_in_a_chain_of_exceptions_is_taken_out(stream: io.StringIO, logger: str) -> None:
    try:
        try:
            raise RuntimeError(f"X-Vault-Token: {TOKEN}")
        except RuntimeError as error:
            raise ValueError("cannot log in: postgres://u:hunter2@db/x") from error
    except ValueError:
        if logger == "structlog":
            structlog.get_logger("leasehold").exception("login failed")
        else:
            logging.getLogger("hvac").exception("login failed")
    (line,) = written(stream)
    assert "ValueError: cannot log in" in line["exception"]
    assert "RuntimeError" in line["exception"]
    assert "CAES" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_record_that_cannot_be_formatted_does_not_print_its_arguments(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("INFO", stream)  # alone: pytest's own handler raises here
    logging.getLogger("urllib3").info("%d items", TOKEN)
    (line,) = written(stream)
    assert line["event"] == "a log record of urllib3 could not be written"
    assert "CAES" not in stream.getvalue() + "".join(capsys.readouterr())


class Stubborn:
    """Fails where nobody can help it."""

    def __del__(self) -> None:
        raise RuntimeError(f"thrown away with {TOKEN}")


def test_what_nobody_can_catch_becomes_a_line_without_a_traceback(stream: io.StringIO) -> None:
    stubborn = Stubborn()
    del stubborn
    (line,) = written(stream)
    assert line["level"] == "error"
    assert "RuntimeError: thrown away with" in line["event"]
    assert "Traceback" not in stream.getvalue()
    assert "CAES" not in stream.getvalue()


def test_what_ends_a_thread_becomes_a_line_without_a_traceback(stream: io.StringIO) -> None:
    def fail() -> None:
        raise RuntimeError(TOKEN)

    thread = threading.Thread(target=fail, name="hasty")
    thread.start()
    thread.join()
    (line,) = written(stream)
    assert "it ended thread hasty" in line["event"]
    assert "CAES" not in stream.getvalue()


def test_a_warning_becomes_a_line(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"odd {TOKEN}", stacklevel=1)
    (line,) = written(stream)
    assert line["logger"] == "py.warnings"
    assert "CAES" not in stream.getvalue()


def test_characters_that_cannot_be_encoded_do_not_lose_the_line(stream: io.StringIO) -> None:
    structlog.get_logger("leasehold").info("odd \ud800")
    assert written(stream)[0]["event"] == "odd \ud800"
    assert stream.getvalue().isascii()


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logs("LOUD", io.StringIO())
