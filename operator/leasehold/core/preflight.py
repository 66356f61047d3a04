"""Step 0 of a mint: the Secret's name must be free or ours, before anything is minted for it."""

from dataclasses import dataclass

from leasehold.api.connection import MCPConnection
from leasehold.api.names import SecretAnnotation
from leasehold.api.reasons import Reason
from leasehold.core.adoption import HIGHEST_GENERATION, generation_of, ours
from leasehold.core.facts import SecretMeta, SecretProbe, SecretState
from leasehold.core.faults import NeedsPerson, TryLater


@dataclass(frozen=True)
class SecretTarget:
    """Where a generation goes: the Secret to replace, or None where it is to be created."""

    existing: SecretMeta | None
    generation: int


def target(connection: MCPConnection, secret_name: str, probe: SecretProbe) -> SecretTarget:
    """The place for the next generation, numbered above all that status or Secret know.

    :raises NeedsPerson: the name is taken by something that is not this connection's
    :raises TryLater: it is taken by a connection that may just be going
    """
    if probe.state is SecretState.FOREIGN:
        raise NeedsPerson(
            Reason.SECRET_CONFLICT,
            f"spec.output.secretName: Secret {secret_name} exists and was not made by Leasehold; "
            "remove it, or use another name in a new connection",
        )
    meta = ours(connection, probe)
    if probe.state is SecretState.MANAGED and meta is None:
        owner = probe.meta.annotations.get(SecretAnnotation.CONNECTION, "") if probe.meta else ""
        raise TryLater(
            Reason.SECRET_CONFLICT,
            f"spec.output.secretName: Secret {secret_name} belongs to another connection ({owner[:317]}); "
            "it is taken over only when that one is gone",
        )
    highest = max(connection.status.last_generation, generation_of(meta) if meta else 0)
    if highest >= HIGHEST_GENERATION:
        raise NeedsPerson(
            Reason.SECRET_CONFLICT,
            f"annotation {SecretAnnotation.GENERATION} of Secret {secret_name} is out of range; delete the Secret",
        )
    return SecretTarget(meta, highest + 1)
