"""The credential of a probe goes to the server and nowhere else. A server gets to see it, and what a server says
ends up in statuses, snapshots and logs that more people may read: so what comes back is searched for it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.redaction import REDACTED
from leasehold.core.sealed import Sealed
from leasehold.core.surface import Surface

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_SECRET_NAME: Final = re.compile(r"auth|cookie|key|password|secret|token|credential", re.IGNORECASE)

_OURS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "last-event-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)

MIN_SECRET_CHARS: Final = 8
"""Shorter words occur in honest texts."""


class Credentials:
    """The headers that a probe carries.

    :raises NeedsPerson: one of them cannot be sent, or is the prober's own
    """

    def __init__(self, headers: Sealed[Mapping[str, str]]) -> None:
        self._headers = headers
        for name, value in headers.reveal().items():
            _check(name, value)
        self._secrets = [
            Sealed(part)
            for name, value in headers.reveal().items()
            if _SECRET_NAME.search(name)
            for part in {value, value.split()[-1]}
            if len(part) >= MIN_SECRET_CHARS
        ]

    def headers(self) -> Mapping[str, str]:
        """The headers themselves, for the request."""
        return self._headers.reveal()

    def cleaned(self, fault: Fault) -> Fault:
        """The same fault, with the credential taken out of its message."""
        for secret in self._secrets:
            fault.message = fault.message.replace(secret.reveal(), REDACTED)
        fault.args = (fault.message,)
        return fault

    def refuse_echo(self, surface: Surface) -> None:
        """Raises where the surface repeats the credential: it would be stored for all to read."""
        text = json.dumps(asdict(surface), ensure_ascii=False)
        for secret in self._secrets:
            if json.dumps(secret.reveal(), ensure_ascii=False)[1:-1] in text:
                raise NeedsPerson(
                    Reason.CREDENTIAL_ECHOED,
                    "The server's surface repeats the credential that was sent to it, so it is not kept.",
                )


def _check(name: str, value: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise NeedsPerson(Reason.INVALID_SPEC, "A header has a name that no header can have.")
    if name.lower() in _OURS or name.lower().startswith("mcp-"):
        raise NeedsPerson(Reason.INVALID_SPEC, f"The header {name} is the prober's own: leave it out.")
    if _VALUE.fullmatch(value) is None:
        raise NeedsPerson(
            Reason.INVALID_SPEC,
            f"The header {name} has a value that is empty, or not of one line of printable ASCII.",
        )
