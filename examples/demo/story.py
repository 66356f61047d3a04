"""A story is what one connection lives through. Its acts come in order; each returns the evidence of what was
really seen, and the first that is not seen ends the story."""

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from board import Board
from controlplane.plane import CommandFailed
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from world import Credential, NotSeen, Refused, World, condition

Act = Callable[[], str]

ROTATION_SECONDS = 40.0
"""Two thirds of the 30 s that a credential lives here, and what a busy machine needs."""

PASS_SECONDS = 30.0


class Story(ABC):
    """Acts with a name and a title; the board lists all of them before the first begins."""

    subject: str

    def __init__(self, world: World, board: Board) -> None:
        self.world = world
        self.board = board

    @property
    @abstractmethod
    def acts(self) -> Sequence[Act]:
        """What is going to be seen, in order; an act is called by its method's name."""

    def announce(self) -> None:
        """Put every act on the board."""
        for act in self.acts:
            self.board.expect(self.subject, _name(act))

    def play(self) -> None:
        """All acts, until one is not seen."""
        for act in self.acts:
            try:
                evidence = act()
            except (NotSeen, Refused, CommandFailed, OSError, subprocess.TimeoutExpired) as fault:
                self.board.missed(self.subject, _name(act), str(fault))
                return
            self.board.seen(self.subject, _name(act), evidence)


class ConnectionStory(Story):
    """The story of one connection, by what an agent can do with its credential."""

    namespace: str
    name: str
    secret_name: str

    def __init__(self, world: World, board: Board) -> None:
        super().__init__(world, board)
        self.subject = f"{self.namespace}/{self.name}"
        self.held: Credential | None = None
        self.replaced: Credential | None = None

    @abstractmethod
    def use(self, credential: Credential) -> str:
        """What an agent does with it, and what came of it.

        :raises Refused: the server does not accept the credential
        """

    def first_credential(self) -> Credential:
        """Wait for the first one."""
        self.held = self.world.until(self._read, PASS_SECONDS, f"{self.subject} has a credential")
        return self.held

    def next_credential(self) -> tuple[Credential, Credential]:
        """Wait for the rotation: the old one and the new one."""
        old = self.current()

        def successor() -> Credential | None:
            found = self._read()
            return found if found is not None and found.generation > old.generation else None

        self.replaced = old
        self.held = self.world.until(successor, ROTATION_SECONDS, f"{self.subject} is rotated")
        return old, self.held

    def current(self) -> Credential:
        """The newest one that was seen."""
        if self.held is None:
            raise NotSeen("no credential was seen")
        return self.held

    def until_dead(self, generation: int) -> None:
        """Wait until the ledger says that a generation is proven dead."""

        def gone() -> bool:
            ledger = self.connection().status.ledger
            return all(entry.generation != generation for entry in ledger)

        self.world.until(gone, PASS_SECONDS, f"generation {generation} of {self.subject} is dead")

    def until_ready_is(self, reason: Reason, seconds: float = PASS_SECONDS) -> MCPConnection:
        """Wait for this reason of the Ready condition and for the Secret to go; meanwhile keep the newest
        credential."""

        def arrived() -> MCPConnection | None:
            found = self._read()
            self.held = found or self.held
            connection = self.connection()
            ready = condition(connection, "Ready")
            return connection if ready is not None and ready.reason is reason and found is None else None

        what = f"{self.subject} is {reason} and its Secret is gone"
        return self.world.until(arrived, seconds, what)

    def connection(self) -> MCPConnection:
        """As the API server has it."""
        found = self.world.connection(self.namespace, self.name)
        if found is None:
            raise NotSeen(f"{self.subject} is not there")
        return found

    def refusal(self, credential: Credential, use: Callable[[Credential], str] | None = None) -> str:
        """The server's reason for not accepting it.

        :raises NotSeen: the server accepted it
        """
        try:
            used = (use or self.use)(credential)
        except Refused as refused:
            return str(refused)
        raise NotSeen(f"generation {credential.generation} still works: {used}")

    def look(self) -> str:
        """What an agent would find now."""
        credential = self._read()
        if credential is None:
            return "no Secret"
        try:
            return self.use(credential)
        except (NotSeen, Refused, OSError) as fault:
            return str(fault)

    def suspend(self, suspended: bool = True) -> None:
        """What a team does in Git."""
        patch = json.dumps({"spec": {"suspend": suspended}})
        self.world.plane.kubectl(
            "patch",
            "mcpconnection",
            self.name,
            f"--namespace={self.namespace}",
            "--type=merge",
            f"--patch={patch}",
        )

    def _read(self) -> Credential | None:
        return self.world.credential(self.namespace, self.secret_name)


def _name(act: Act) -> str:
    return str(getattr(act, "__name__", act)).replace("_", " ")
