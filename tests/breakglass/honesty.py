"""Holds what a revocation says against what is true at the servers, again and again while it is carried out.

The status is read first and the servers are looked at afterwards: what is still alive then was alive when the
status was read, so a status that claims its death is a lie, however close the race was. While Vault does not answer
nothing can die there, and what it knew last still holds: so begin to sample while it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Self

from breakglass.place import Place, Team, said
from controlplane.vaultapi import VaultRefused
from leasehold.api.revocation import MCPRevocation, MCPRevocationStatus

PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Truth:
    """The connections that have a living login or lease, and how many Secrets there are."""

    logins: frozenset[str]
    leases: frozenset[str]
    """By their ids where nobody knows yet whose they are."""
    secrets: int

    def alive(self, team: Team) -> int:
        """How many connections have something. A lease whose mint is not answered yet hangs under a login that is
        alive and has no other."""
        leased = self.leases.intersection(team.names)
        without = self.logins - leased
        return len(self.logins | leased) + max(0, len(self.leases - leased) - len(without))


@dataclass
class Honesty:
    """A thread that samples one revocation of one team, whose every connection it matches."""

    place: Place
    team: Team
    revocation: str
    lies: list[str] = field(default_factory=list)
    samples: list[MCPRevocationStatus] = field(default_factory=list)
    _last: Truth | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._look()
        self._thread = threading.Thread(target=self._run, name="honesty", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(60)
        if kind is None:
            assert self.samples, "nothing was sampled"
            assert not self.lies, "\n".join([f"{len(self.lies)} lies", *self.lies[:5]])

    def assert_nothing_was_taken_back(self) -> None:
        """For one operator's life, and targets that do not change: what was counted once stays counted."""
        whole = [each for each in self.samples if each.matched == self.team.size]
        for before, after in pairwise(whole):
            assert before.revoked <= after.revoked
            assert before.verified <= after.verified
            assert before.secrets_deleted <= after.secrets_deleted
            assert before.started_time == after.started_time
            assert before.revoked_time in (None, after.revoked_time)
            assert before.verified_time in (None, after.verified_time)

    def _run(self) -> None:
        try:
            while not self._over.wait(PAUSE_SECONDS):
                self._sample()
        except Exception as broken:  # noqa: BLE001  # told by whoever waits for this thread
            self.lies.append(f"sampling ended: {broken!r}")

    def _sample(self) -> None:
        found = self.place.admin.get(f"/apis/leasehold.dev/v1alpha1/mcprevocations/{self.revocation}")
        if found is None:
            return
        revocation = MCPRevocation.model_validate(found)
        truth = self._look()
        self.samples.append(revocation.status)
        self.lies += [f"{lie}: {found['status']}, {truth}" for lie in lies(self.team, revocation, truth)]

    def _look(self) -> Truth:
        secrets = self.place.secrets(self.team)
        try:
            logins = frozenset(self.place.logged_in(self.team))
            leases = frozenset(self.place.leased(self.team))
        except (OSError, VaultRefused):
            assert self._last is not None, "begin while Vault answers"
            logins, leases = self._last.logins, self._last.leases
        self._last = Truth(logins, leases, secrets)
        return self._last


def lies(team: Team, revocation: MCPRevocation, truth: Truth) -> Iterator[str]:
    """What the status claims and the servers deny."""
    status, alive = revocation.status, truth.alive(team)
    if status.verified > team.size - alive:
        yield "more is verified than is dead"
    if status.revoked > team.size - len(truth.logins):
        yield "more is revoked than Vault has accepted"
    if status.secrets_deleted > team.size - truth.secrets:
        yield "more Secrets are deleted than are gone"
    if said(revocation, "Complete")[0] == "True" and (alive or truth.secrets):
        yield "it is complete while something is alive"
    if status.matched == team.size and truth.leases and status.residual_exposure_until is None:
        yield "something is alive and no end is told"
