"""What a person may do about a fault that is not of their connection's own making: said after what happened,
wherever a condition tells of it. Faults that name a field of a spec say by themselves what to change."""

from collections.abc import Mapping
from typing import Final

from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault

BY_ITSELF: Final = "it is tried again by itself"

ADVICE: Final[Mapping[Reason, str]] = {
    Reason.UNREACHABLE: f"{BY_ITSELF}; if it lasts, see whether that Vault runs, has an active node, and is where "
    "the store's spec.address says",
    Reason.SEALED: f"unseal that Vault; {BY_ITSELF}",
    Reason.THROTTLED: f"{BY_ITSELF}; if it lasts, raise the limit on the operator's requests",
    Reason.STORE_UNAVAILABLE: f"{BY_ITSELF}; if it lasts, that Vault's own log says more",
    Reason.MALFORMED: f"{BY_ITSELF}; if it lasts, see what it is that answers at the store's spec.address",
    Reason.REFUSED: "mend the role, policy or path at Vault, or the operator's RBAC: `leasehold bootstrap` prints "
    "what is needed",
    Reason.TIMEOUT: BY_ITSELF,
    Reason.UNKNOWN_OUTCOME: "whatever came of it is found and ended by itself, and a fresh credential follows",
    Reason.CLUSTER_UNAVAILABLE: BY_ITSELF,
    Reason.REVOCATION_PENDING: "it is looked up until it is gone",
    Reason.IRREVOCABLE: "mend the backend that keeps it: Vault has given up, and is made to try again and again",
}


def advised(fault: Fault) -> str:
    """What happened, and what to do about it."""
    advice = ADVICE.get(fault.reason)
    return f"{fault.message.rstrip('.')}; {advice}" if advice else fault.message
