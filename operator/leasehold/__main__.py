"""`python -m leasehold`: the operator."""

import asyncio
import gc
import signal
import ssl
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import structlog

from leasehold import __version__
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.engine.runtime import Engine
from leasehold.handlers.watch import Watcher
from leasehold.settings import PREFIX, BadSettings, Settings, namespaces
from leasehold.telemetry.http import TelemetryServer
from leasehold.telemetry.logs import configure_logs
from leasehold.telemetry.tls import ServedCertificate, UnusableCertificate
from leasehold.wiring import operator

log = structlog.get_logger("leasehold")

CANNOT_START = 2
LONGEST_PAUSE_SECONDS = 15.0
COLLECT_EVERY = (10_000, 5, 5)
"""Python's own 700 costs half of the time in which a large fleet is read."""


async def run(settings: Settings, tls: ssl.SSLContext | None) -> int:
    """Run until SIGTERM, SIGINT, or a lost lead; the exit status."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, over.set)
    async with operator(settings, over) as (engine, telemetry, elector):
        watcher = Watcher(
            settings.kubeconfig,
            loop,
            lambda event: engine.on_event(event.kind, event.type, event.body),
            lambda error: log.warning("the watches ended and begin anew", why=repr(error)),
            namespaces(settings.watch_namespaces),
        )

        def live() -> tuple[bool, str]:
            turning, why = engine.live()
            if turning and not watcher.alive and engine.ready()[0]:
                return False, "the watches have ended"
            return turning, why

        def ready() -> tuple[bool, str]:
            # a standby is as ready as it will ever be: a rolling update waits for it before it ends the leader
            return engine.ready() if elector.elected.is_set() else elector.standing()

        def metrics() -> bytes:
            telemetry.leader(elector.is_leader)
            return telemetry.render()

        server = TelemetryServer(metrics, live, ready, tls)
        try:
            host, port = await server.start(settings.listen_host, settings.listen_port)
        except OSError as error:
            log.error("cannot listen", setting="LEASEHOLD_LISTEN_PORT", why=str(error))
            return CANNOT_START
        log.info("started", version=__version__, metrics=f"{host}:{port}")
        try:
            elector.start()
            await _first_of(elector.elected.wait(), over.wait())
            if not over.is_set():
                await _begin(engine, over)
                gc.freeze()  # the fleet stays: to go through ten thousand connections holds the loop for 0.3 s
                watcher.start()
            await over.wait()
            log.info("stopping")
        finally:
            await asyncio.to_thread(watcher.stop)
            finished = await engine.stop(settings.stop_seconds)
            # what is not finished may still reach Vault, so then nobody is invited to take over before it is dead
            await asyncio.to_thread(elector.stop, give_up=finished)
            await server.stop()
        log.info("stopped", finished=finished)
        return 0 if finished and not elector.lost else 1


async def _first_of(*awaited: Awaitable[Any]) -> None:
    """Wait until one of them has ended, and end the others."""
    tasks = [asyncio.ensure_future(each) for each in awaited]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _begin(engine: Engine, stop: asyncio.Event) -> None:
    """Start as soon as the API server can be listed; until then the operator is not ready, and says so."""
    pause = 1.0
    while not stop.is_set():
        starting = asyncio.create_task(engine.start())
        await _first_of(starting, stop.wait())
        if starting.cancelled():
            return
        try:
            starting.result()
        except Fault as fault:
            log.warning("the objects cannot be listed yet", reason=fault.reason, why=fault.message)
        else:
            return
        await _first_of(stop.wait(), asyncio.sleep(pause))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def main() -> int:
    """Settings from the environment, logs to stderr, audit to stdout."""
    try:
        settings = Settings.from_environment()
        directory = settings.listen_tls_directory
        tls = ServedCertificate(Path(directory)).context if directory else None
    except UnusableCertificate as error:
        print(f"leasehold: {PREFIX}LISTEN_TLS_DIRECTORY: {error}", file=sys.stderr)
        return CANNOT_START
    except BadSettings as error:
        print(f"leasehold: {error}", file=sys.stderr)
        return CANNOT_START
    configure_logs(settings.log_level)
    gc.set_threshold(*COLLECT_EVERY)
    try:
        return asyncio.run(run(settings, tls))
    except NeedsPerson as fault:
        log.error("cannot start", setting="LEASEHOLD_KUBECONFIG", why=fault.message)
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
