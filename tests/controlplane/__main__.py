"""`python -m controlplane build` finds or builds every program; `up` runs them all until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from dataclasses import fields

from controlplane.browser import provide_chromium
from controlplane.cache import ProvisioningFailed, say
from controlplane.child import ServerFailed
from controlplane.launcher import ControlPlane
from controlplane.programs import PostgresInstallation, provide_all, provide_monitors


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m controlplane", description=__doc__)
    parser.add_argument("command", choices=["build", "up"])
    command = {"build": build, "up": up}[parser.parse_args().command]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, and so cleans up like it
    try:
        return command()
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except (ProvisioningFailed, ServerFailed) as failed:
        say(f"error: {failed}")
        return 1


def build() -> int:
    print(f"chromium: {provide_chromium().program}")
    for programs in (provide_all(), provide_monitors()):
        for field in fields(programs):
            found = getattr(programs, field.name)
            print(f"{field.name}: {found.bin if isinstance(found, PostgresInstallation) else found}")
    return 0


def up() -> int:
    ended = threading.Event()
    started = time.monotonic()
    with ControlPlane() as plane:
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # from here on, a second one must not cut the end short
            signal.signal(number, lambda *_: ended.set())
        say(f"ready in {time.monotonic() - started:.1f} s; Ctrl-C ends it")
        print(f"KUBECONFIG={plane.kubeconfig()}")
        print(f"VAULT_ADDR={plane.vault.address}")
        print(f"VAULT_TOKEN={plane.vault.root_token}")
        print(f"POSTGRES_DSN={plane.postgres.dsn()!r}", flush=True)
        ended.wait()
        say("ending")
    return 0


if __name__ == "__main__":
    sys.exit(main())
