"""`make demo`: the main job on real servers, seen by whoever started it.

Without arguments it stays when the story is told, for you to play with; Ctrl-C ends everything. With `--once`
it tells the story in plain lines and ends, with status 0 only if each thing was seen.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from rich.console import Console

from board import Board
from catalog import Catalog
from confinement import Afterwards, Confinement
from controlplane import ControlPlane
from controlplane.cache import ProvisioningFailed
from controlplane.child import ServerFailed
from controlplane.plane import CommandFailed
from controlplane.programs import provide_all
from orders import MonthEnd, Orders
from payments import Payments
from stage import Stage, claim, set_up
from story import ConnectionStory, Story
from world import World

STORY_SECONDS = 140.0
"""The longest wait of the story is a JWT's life, twice."""

MAX_REQUEST_SECONDS = 10
LOOK_SECONDS = 0.5


class Signals:
    """The first SIGINT, SIGTERM or SIGHUP interrupts, unless it is held back for a moment; the ending that
    follows is not cut short by a second one."""

    def __init__(self) -> None:
        self._held = False
        self.received: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: object) -> None:
        if self.received is None:
            self.received = number
            if not self._held:
                raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is interrupted within."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.received is not None:
            raise KeyboardInterrupt


def demonstrate(once: bool, signals: Signals, console: Console) -> int:
    """The whole evening; the exit status."""
    with ExitStack() as stack:
        board = stack.enter_context(Board(console, live=console.is_terminal and not once))
        started = time.monotonic()
        board.say("starting a control plane: Kubernetes API server, Vault, PostgreSQL")
        programs = provide_all(progress=board.say)
        with signals.held():
            plane = ControlPlane(
                programs=programs, vault_max_request_seconds=MAX_REQUEST_SECONDS, progress=board.say
            )
            stack.push(plane)
        plane.__enter__()
        stage = set_up(plane, programs, stack, board.say)
        board.say(f"ready after {time.monotonic() - started:.0f} s: the teams claim their connections")
        world = World(plane, STORY_SECONDS)
        connections: list[ConnectionStory] = [
            Orders(world, board),
            MonthEnd(world, board),
            Catalog(world, board),
            Payments(world, board, stage.careful, stage.careless),
        ]
        _tell(world, board, stage, [*connections, Confinement(world, board)], Afterwards(world, board))
        unseen = board.unseen()
        board.say(f"NOT SEEN: {', '.join(unseen)}" if unseen else "everything was seen")
        board.say(plane.kubectl("get", "mcpconnections", "--all-namespaces").stdout.rstrip())
        if not once:
            with suppress(KeyboardInterrupt):
                _stay(world, board, stage, connections)
        return 1 if unseen else 0


def _tell(world: World, board: Board, stage: Stage, stories: list[Story], last: Story) -> None:
    """All stories at once, then the last one, with the table kept up to date."""
    for story in [*stories, last]:
        story.announce()
    claim(world.plane, stage.manifests)
    with ThreadPoolExecutor(len(stories), thread_name_prefix="story") as pool:
        told = [pool.submit(story.play) for story in stories]
        try:
            while not all(future.done() for future in told):
                board.show(world.connections())
                time.sleep(LOOK_SECONDS)
        finally:
            world.end()
        for future in told:
            future.result()
    last.play()


def _stay(world: World, board: Board, stage: Stage, stories: list[ConnectionStory]) -> None:
    """Alive again, for a person to play with."""
    claim(world.plane, stage.manifests)
    for story in stories:
        story.suspend(False)
    board.say(
        "All are claimed anew, and agents use what they get, until Ctrl-C. To look around, and to meddle:"
    )
    board.say(f"  export KUBECONFIG={world.plane.kubeconfig()}")
    board.say(f"  export VAULT_ADDR={world.plane.vault.address} VAULT_TOKEN={world.plane.vault.root_token}")
    board.say("  kubectl get mcpconnections --all-namespaces --watch")
    while True:
        for story in stories:
            board.note(story.subject, story.look())
            board.show(world.connections())
        time.sleep(LOOK_SECONDS)


def main() -> int:
    """Parse, run, and say in one line what went wrong."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="plain lines, and an end")
    once = parser.parse_args().once
    signals = Signals()
    console = Console(highlight=False)
    try:
        return demonstrate(once, signals, console)
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
        return 128 + (signals.received or signal.SIGINT)
    except (ProvisioningFailed, ServerFailed, CommandFailed, RuntimeError, OSError) as failed:
        print(f"the demo failed: {failed}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
