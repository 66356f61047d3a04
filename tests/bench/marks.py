"""When a fleet's credentials were revoked, its Secrets gone, its leases dead: seen from outside, and in the same
way whoever ends them.

Ten times a second Vault is asked for all accessors that it knows, or, once none of the fleet's is among them, for
all its leases; and the API server for one Secret of the first namespace that may still have one. That is a few
cheap requests, over kept connections, whatever the size of the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import requests

from bench.fleet import Fleet
from controlplane import Plane
from crash.admin import Admin

PAUSE_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Marks:
    """Seconds from the word to each of them; `verified` is when whoever ended the fleet said so, having looked."""

    revoked: float
    secrets_gone: float
    leases_gone: float
    verified: float
    complete: float
    """When it had also been written down on each connection; the floor writes nothing down."""

    def ratios_to(self, floor: Marks) -> dict[str, float]:
        """How many times as long as the floor, at the marks that both promise."""
        return {
            "revoked": round(self.revoked / floor.revoked, 2),
            "secrets_gone": round(self.secrets_gone / floor.secrets_gone, 2),
            "verified": round(self.verified / floor.verified, 2),
        }


def mean(several: list[Marks]) -> Marks:
    """Mark by mark."""
    count = len(several)
    return Marks(
        revoked=round(sum(each.revoked for each in several) / count, 2),
        secrets_gone=round(sum(each.secrets_gone for each in several) / count, 2),
        leases_gone=round(sum(each.leases_gone for each in several) / count, 2),
        verified=round(sum(each.verified for each in several) / count, 2),
        complete=round(sum(each.complete for each in several) / count, 2),
    )


class Spectator:
    """Looks on while a fleet is ended.

    :param held: the lease id of each accessor
    """

    def __init__(self, plane: Plane, fleet: Fleet, held: Mapping[str, str], lease_path: str) -> None:
        self._admin = Admin(plane)
        self._vault = requests.Session()
        self._vault.trust_env = False
        self._vault.headers["X-Vault-Token"] = plane.vault.root_token
        self._address = plane.vault.address
        self._accessors = set(held)
        self._leases = {lease.rpartition("/")[2] for lease in held.values()}
        self._lease_path = lease_path
        self._namespaces = [each["metadata"]["name"] for each in fleet.namespaces()]

    def look_on(
        self, is_verified: Callable[[], bool], is_complete: Callable[[], bool], begun: float
    ) -> Marks:
        """Until all of it has happened; `begun` is a moment of the monotonic clock."""
        wanted = {
            "revoked": self._no_accessor,
            "secrets_gone": self._no_secret,
            "leases_gone": self._no_lease,
            "verified": is_verified,
            "complete": is_complete,
        }
        reached: dict[str, float] = {}
        while len(reached) < len(wanted):
            for name, holds in wanted.items():
                if name not in reached and (name != "leases_gone" or "revoked" in reached) and holds():
                    reached[name] = round(time.monotonic() - begun, 2)
            if time.monotonic() - begun > LONGEST_SECONDS:
                raise RuntimeError(f"after {LONGEST_SECONDS:g} s only {reached} was reached")
            time.sleep(PAUSE_SECONDS)
        return Marks(**reached)

    def everything_is_alive(self) -> bool:
        """Before the word: whether there is anything to end at all."""
        return (
            self._accessors <= self._list("auth/token/accessors")
            and self._leases <= self._list(f"sys/leases/lookup/{self._lease_path}")
            and not self._no_secret()
        )

    def _no_accessor(self) -> bool:
        return self._accessors.isdisjoint(self._list("auth/token/accessors"))

    def _no_lease(self) -> bool:
        return self._leases.isdisjoint(self._list(f"sys/leases/lookup/{self._lease_path}"))

    def _no_secret(self) -> bool:
        """Nobody makes new ones, so a namespace that is empty stays so."""
        while self._namespaces:
            found = self._admin.get(f"/api/v1/namespaces/{self._namespaces[0]}/secrets?limit=1")
            if found and found["items"]:
                return False
            del self._namespaces[0]
        return True

    def _list(self, path: str) -> set[str]:
        answer = self._vault.request("LIST", f"{self._address}/v1/{path}", timeout=60)
        if answer.status_code == 404:
            return set()
        answer.raise_for_status()
        return set(answer.json()["data"]["keys"])
