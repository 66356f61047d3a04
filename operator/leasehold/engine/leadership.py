"""Who may mint, as those ask who are about to."""

from typing import Protocol


class Leadership(Protocol):
    """Asked at every fence."""

    @property
    def is_leader(self) -> bool:
        """Whether this process may mint and write now."""
        ...
