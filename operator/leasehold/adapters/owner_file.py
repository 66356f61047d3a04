"""The owner directory as a file, which an identity job replaces; in a pod it is a ConfigMap that is mounted."""

import asyncio
import os
from pathlib import Path
from typing import Final

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.owner_directory import MAX_BYTES, BadOwnerDirectory, OwnerDirectory, read_directory

PATIENCE_SECONDS: Final = 30.0


class OwnerFile:
    """Reads the file when it is another one than before, beside everything else. A file system that hangs has one
    thread waiting for it, and no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._known: OwnerDirectory | None = None
        self._reading: asyncio.Future[OwnerDirectory] | None = None

    async def read(self) -> OwnerDirectory:
        """See `ports.OwnerSource`."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.shield(self._reading)
        except BadOwnerDirectory as error:
            raise _unreadable(f"{self._path}: {error}") from error
        except TimeoutError as error:
            raise _unreadable(
                f"{self._path} could not be read within {PATIENCE_SECONDS:g} seconds"
            ) from error
        except OSError as error:
            raise _unreadable(f"{self._path} cannot be read: {os.strerror(error.errno or 0)}") from error

    def _read(self) -> OwnerDirectory:
        with self._path.open("rb") as file:
            found = os.fstat(file.fileno())
            seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            if self._known is None or seen != self._seen:
                self._known = None
                self._known = read_directory(file.read(MAX_BYTES + 1))
                self._seen = seen
        return self._known


def _unreadable(message: str) -> NeedsPerson:
    return NeedsPerson(Reason.UNREADABLE_OWNER_DIRECTORY, message)
