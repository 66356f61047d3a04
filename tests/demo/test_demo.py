"""`make demo` is what a newcomer runs first: it shows everything it promises, ends, and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.waiting import wait_until

ROOT = Path(__file__).parents[2]
SECONDS = 300

TO_BE_SEEN = [
    f"{subject} {act}: "
    for subject, acts in {
        "support/support-bot-orders": ("minted", "used", "rotated", "old one ended", "revoked"),
        "support/month-end-orders": ("minted", "used", "expired", "approved", "stopped", "lifted"),
        "shop/shop-assistant-catalog": (
            "minted",
            "used",
            "rotated",
            "old one ended",
            "suspended",
            "ran out",
        ),
        "payments/refund-agent-payments": ("minted", "used", "rotated", "old one ended", "revoked"),
        "the operator": ("reads no secret", "guards its audience"),
        "Vault and PostgreSQL": ("nothing is left",),
    }.items()
    for act in acts
]


def demo(temporary: Path) -> subprocess.Popen[str]:
    """The program as `make demo ARGS=--once` starts it, with a directory of its own for what is temporary."""
    return subprocess.Popen(
        [sys.executable, "examples/demo/run.py", "--once"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests:operator", "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(temporary: Path) -> list[str]:
    """Command lines and working directories that name the directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            environment = (process / "environ").read_text()
        except OSError:  # it has ended, or is not ours to look at
            continue
        if str(temporary) in environment or any(str(temporary) in word for word in words):
            found.append(" ".join(words))
    return found


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Not below pytest's own directory, which the account that PostgreSQL runs under cannot enter."""
    directory = Path(tempfile.mkdtemp(prefix="leasehold-demo-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


def test_the_demo_shows_all_it_promises_and_leaves_nothing(temporary: Path) -> None:
    running = demo(temporary)
    said, complaints = running.communicate(timeout=SECONDS)

    assert running.returncode == 0, f"{said}\n{complaints}"
    seen = [line.removeprefix("✔ ") for line in said.splitlines() if line.startswith("✔ ")]
    for promise in TO_BE_SEEN:
        assert any(line.startswith(promise) for line in seen), f"{promise} not in:\n{said}"
    assert len(seen) == len(TO_BE_SEEN)
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


@pytest.mark.parametrize(
    ("number", "after"),
    [(signal.SIGINT, "starting a control plane"), (signal.SIGTERM, "✔ ")],
    ids=["while it starts", "while it tells its story"],
)
def test_a_demo_that_is_interrupted_leaves_nothing(
    temporary: Path, number: signal.Signals, after: str
) -> None:
    running = demo(temporary)
    assert running.stdout is not None
    if not any(line.startswith(after) for line in running.stdout):
        pytest.fail(f"it ended before: {running.communicate(timeout=60)}")
    wait_until(lambda: len(processes_of(temporary)) > 1, 30, "it runs servers")

    running.send_signal(number)
    said, complaints = running.communicate(timeout=60)

    assert running.returncode == 128 + number, f"{said}\n{complaints}"
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []
