"""What an answer of the API server means for what happens next: the one place where its errors are
translated.

The server's own sentence is passed on, for it names the verb, the resource, or the policy that refused;
unless the request carried secret material, which a webhook could quote."""

from typing import Any

from leasehold.adapters.cluster_http import Answer, Call
from leasehold.api.reasons import Reason
from leasehold.core.faults import Conflict, Fault, NeedsPerson, OutcomeUnknown, TryLater, Vanished

MESSAGE_LENGTH = 600


def is_absent(answer: Answer) -> bool:
    """Whether the API server itself says that this object does not exist. A 404 from something in between, or
    for a kind that is not installed, says nothing about the object."""
    if answer.status != 404:
        return False
    status = answer.json()
    return status.get("reason") == "NotFound" and bool((status.get("details") or {}).get("name"))


def kind_is_not_installed(answer: Answer) -> bool:
    """Whether the API server itself (it marks every answer with an audit id) knows no such collection."""
    return answer.status == 404 and "Audit-Id" in answer.headers


def namespace_is_going(answer: Answer) -> bool:
    """Whether nothing new is accepted because the namespace is being deleted."""
    return answer.status == 403 and _has_cause(answer.json(), "NamespaceTerminating")


def fault_of(call: Call, answer: Answer) -> Fault:
    """The fault that an unsuccessful answer stands for."""
    what = f"{call.verb} {call.resource} {call.subject}"
    status = answer.json()
    said = _said(call, status)
    match answer.status:
        case 401:
            return TryLater(Reason.CLUSTER_UNAVAILABLE, f"The API server does not know us: {what}.")
        case 403 if namespace_is_going(answer):
            return TryLater(
                Reason.CLUSTER_UNAVAILABLE,
                f"The namespace is being deleted, and nothing new is accepted in it: {what}.",
            )
        case 404 if is_absent(answer):
            return Vanished(f"It is gone: {what}.")
        case 404:
            return TryLater(Reason.CLUSTER_UNAVAILABLE, f"The API server does not serve this kind: {what}.")
        case 409:
            return Conflict(f"It has changed, or the name is taken: {what}.")
        case 410:
            return TryLater(Reason.CLUSTER_UNAVAILABLE, f"The list has expired and is begun anew: {what}.")
        case 429:
            return TryLater(Reason.THROTTLED, f"The API server throttles us: {what}.", _retry_after(answer))
        case code if code < 500:
            return NeedsPerson(Reason.REFUSED, f"The API server refuses {what} ({code}){said}")
        case code if call.repeatable or (code == 503 and status.get("kind") == "Status"):
            return TryLater(
                Reason.CLUSTER_UNAVAILABLE, f"The API server fails at {what} ({code}).", _retry_after(answer)
            )
        case code:
            return OutcomeUnknown(f"The API server failed at {what} ({code}): it may have been carried out.")


def done(call: Call, answer: Answer) -> Answer:
    """The answer, if the server did what was asked; raises its fault otherwise."""
    if not answer.ok:
        raise fault_of(call, answer)
    return answer


def _said(call: Call, status: dict[str, Any]) -> str:
    if call.carries_secrets:
        causes = (status.get("details") or {}).get("causes") or []
        said = ", ".join(str(cause.get("field")) for cause in causes if cause.get("field"))
    else:
        said = str(status.get("message") or "")
    return f": {said[:MESSAGE_LENGTH]}" if said else "."


def _has_cause(status: dict[str, Any], reason: str) -> bool:
    causes = (status.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == reason for cause in causes)


def _retry_after(answer: Answer) -> float | None:
    try:
        return float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
