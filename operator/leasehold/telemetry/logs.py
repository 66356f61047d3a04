"""Logs are JSON lines on standard error, ours and those of the libraries alike, and every one passes the
redaction: an exception of a library may quote the request that carried the token."""

import json
import logging
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from leasehold.core.redaction import redacted
from leasehold.core.sealed import Sealed

MAX_DEPTH: Final = 8

CHATTY: Final = {"kopf.objects": logging.WARNING, "kopf._core.reactor.running": logging.ERROR}
"""kopf's loggers for what it does with each event of each object, which is as many lines as the fleet has changes,
and for its own start and end, where it warns that it takes no signals, as it is meant to."""

WATCHING: Final = "kopf"
"""What it calls an error is a request that it repeats, or a watch that we begin anew and report ourselves."""


def configure_logs(level: str = "INFO", stream: TextIO | None = None) -> None:
    """From here on every log record of the process goes to `stream` (default: standard error) as one JSON
    line.

    :raises ValueError: there is no such level
    """
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact_event,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(_without_alarm)
    root = logging.getLogger()
    root.setLevel(level)
    root.handlers = [handler]
    for logger, least in CHATTY.items():
        logging.getLogger(logger).setLevel(least)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = _unraisable
    threading.excepthook = _ended_a_thread


def _without_alarm(record: logging.LogRecord) -> bool:
    """A log filter: no failure of a watch is more than a warning, or comes with a traceback."""
    if record.name.partition(".")[0] == WATCHING and record.levelno > logging.WARNING:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    """Python's own prints a traceback past the redaction. Nobody can handle these: they come up where something is
    thrown away, like a task that did not let itself be cancelled."""
    _tell_of(what.exc_type, what.exc_value, f"{what.err_msg or 'ignored in'} {what.object!r}")


def _ended_a_thread(what: threading.ExceptHookArgs) -> None:
    _tell_of(what.exc_type, what.exc_value, f"it ended thread {what.thread.name if what.thread else '?'}")


def _tell_of(kind: type[BaseException], error: BaseException | None, where: str) -> None:
    logging.getLogger(__name__).error(
        "an exception that nobody caught: %s: %s; %s", kind.__name__, error, where
    )


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The structlog processor: everything becomes plain JSON without anything that looks like a secret."""
    return {redacted(str(name)): _plain(value, MAX_DEPTH) for name, value in event.items()}


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Sealed) or depth == 0:
        return "[redacted]" if isinstance(value, Sealed) else "…"
    if isinstance(value, Mapping):
        return {redacted(str(name)): _plain(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, depth - 1) for inner in value]
    if isinstance(value, bytes | bytearray):
        return redacted(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, BaseException):
        return redacted(f"{type(value).__name__}: {value}")
    return redacted(str(value))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """The default prints the record's raw arguments, past the redaction."""
        said = f"a log record of {record.name} could not be written"
        with suppress(OSError, ValueError):  # the stream itself may be what is broken
            self.stream.write(json.dumps({"level": "error", "event": said}) + "\n")
