"""Who may mint. Election is not part of this version: a single replica always leads."""

from typing import Protocol


class Leadership(Protocol):
    """Asked at every fence."""

    @property
    def is_leader(self) -> bool:
        """Whether this process may mint and write now."""
        ...


class SoleReplica:
    """The only replica there is."""

    is_leader = True
