"""What a person reads in `kubectl describe`: for every reason the type of Event, what was being done, and a
sentence to fall back on where nothing more exact is known."""

from dataclasses import dataclass
from typing import Final

from leasehold.api.reasons import Reason
from leasehold.core.facts import EventType


@dataclass(frozen=True)
class EventText:
    """How one reason is told; `action` is a CamelCase verb, as events.k8s.io wants it."""

    type: EventType
    action: str
    sentence: str


def event_text(reason: Reason) -> EventText:
    """How this reason is told."""
    return TEXTS.get(reason) or _bad("Decide", f"{reason}.")


def _good(action: str, sentence: str) -> EventText:
    return EventText(EventType.NORMAL, action, sentence)


def _bad(action: str, sentence: str) -> EventText:
    return EventText(EventType.WARNING, action, sentence)


TEXTS: Final[dict[Reason, EventText]] = {
    Reason.REVOKED: _bad("Revoke", "A revocation denies this connection; everything it holds is revoked."),
    Reason.HELD: _bad("Decide", "A lifted revocation left a hold; an approval newer than the lift ends it."),
    Reason.REJECTED: _bad("Decide", "A reviewer rejected this connection; everything it holds is revoked."),
    Reason.SUSPENDED: _good(
        "Decide", "The connection is suspended (spec.suspend); its credential is revoked."
    ),
    Reason.EXPIRED: _bad("Decide", "The lease ended without a review; an approval starts the next one."),
    Reason.NAMESPACE_NOT_ALLOWED: _bad("Decide", "The profile or its store does not allow this namespace."),
    Reason.SERVICE_ACCOUNT_GONE: _bad("Decide", "The agent's service account does not exist."),
    Reason.ORPHANED: _bad("Decide", "Who answered for the connection has left, and nobody took it over."),
    Reason.POLICY_VIOLATED: _bad("Decide", "The connection does not satisfy an access policy."),
    Reason.RECREATED: _bad(
        "Decide", "The agent had a connection to this server; a person has to approve it."
    ),
    Reason.POLICY_UNREADABLE: _bad("Decide", "An access policy cannot be read; nothing new is minted."),
    Reason.POLICY_SATISFIED: _good("Decide", "The connection satisfies an access policy again."),
    Reason.SHADOW: _bad("Look", "An MCP server is in use, and no connection is registered for it."),
    Reason.POLICY_REMOVED: _bad("Decide", "The access policy was deleted; what it denied is allowed."),
    Reason.DRIFTED: _bad("Probe", "The server exposes something else than what was approved."),
    Reason.IDLE: _bad("Decide", "The connection was not used for longer than spec.idleSeconds."),
    Reason.INVALID_SPEC: _bad(
        "Decide", "The objects do not add up to a credential; see the Ready condition."
    ),
    Reason.SECRET_CONFLICT: _bad("Publish", "The Secret of spec.output.secretName belongs to somebody else."),
    Reason.LEDGER_LOST: _bad("Recover", "The record of what was minted is lost; see the Ready condition."),
    Reason.LEDGER_FULL: _bad("Mint", "Too many generations are not proven dead; nothing more is minted."),
    Reason.STORE_UNAVAILABLE: _bad("Mint", "The credential store cannot be used at present."),
    Reason.PENDING: _good("Mint", "The first credential is on its way."),
    Reason.REVIEW_DUE: _bad("Decide", "A review is due: without an approval the lease ends."),
    Reason.ACTIVE: _good("Decide", "The connection may be used."),
    Reason.DELETED: _good("Delete", "The connection is being deleted; its credentials are revoked first."),
    Reason.AS_DESIRED: _good("Decide", "Everything is as desired."),
    Reason.ISSUED: _good("Publish", "A credential was minted and written to the Secret."),
    Reason.NOT_ISSUED: _bad("Mint", "There is no valid credential."),
    Reason.RECORD_ONLY: _good("Decide", "The profile has no credential: this connection is a record only."),
    Reason.NEVER_PROBED: _good("Probe", "The server was never probed."),
    Reason.NOT_PROBEABLE: _good("Probe", "The server is a command on the agent's machine: nobody probes it."),
    Reason.NO_CREDENTIAL: _bad("Probe", "There is no credential to probe the server with."),
    Reason.CAPTURED: _good("Probe", "The server was read to its end."),
    Reason.SUPPLIED: _good("Probe", "What the command exposes was supplied."),
    Reason.NO_APPROVED_SURFACE: _good("Probe", "Nobody has approved what the server exposes."),
    Reason.CLEAN: _good("Probe", "The server exposes what was approved."),
    Reason.BENIGN_DRIFT: _good("Probe", "The server differs from what was approved in nothing that matters."),
    Reason.NO_EVIDENCE_SOURCE: _good("Decide", "Nothing tells whether the connection is used."),
    Reason.RECENTLY_USED: _good("Decide", "The connection is in use."),
    Reason.NEVER_USED: _good("Decide", "No use of the connection was seen yet."),
    Reason.IDLE_SOON: _bad("Decide", "The connection becomes Idle soon: it is not used."),
    Reason.OWNER_LISTED: _good("Decide", "The owner is there."),
    Reason.OWNER_LEFT: _bad("Decide", "The owner has left: without a deputy's approval the connection ends."),
    Reason.DEPUTY_ANSWERS: _good("Decide", "The deputy answers for the connection, whose owner has left."),
    Reason.NO_OWNER_DIRECTORY: _good("Decide", "Nothing tells whether the owner is still there."),
    Reason.UNREADABLE_OWNER_DIRECTORY: _bad("Decide", "The owner directory cannot be read."),
    Reason.STALE_OWNER_DIRECTORY: _bad("Decide", "The owner directory is too old to be believed."),
    Reason.SUSPECT_OWNER_DIRECTORY: _bad(
        "Decide", "The owner directory lacks too many owners to be believed."
    ),
    Reason.WORKING: _good("Decide", "Work is under way."),
    Reason.RETRYING: _bad("Decide", "Something did not work and is tried again."),
    Reason.IN_USE: _good("Delete", "Ledgers of connections still name this store."),
    Reason.NOT_IN_USE: _good("Delete", "No ledger names this store any more."),
    Reason.ENFORCED: _bad("Revoke", "The revocation denies whatever it matches."),
    Reason.REVOKING: _bad("Revoke", "Everything that the matching connections hold is being revoked."),
    Reason.VERIFIED: _good("Revoke", "Everything that matched is verified dead."),
    Reason.NOTHING_MATCHED: _bad("Revoke", "No connection matches the target; check its spelling."),
    Reason.RESIDUAL_EXPOSURE: _bad("Revoke", "What can be revoked is dead; the rest may still work."),
    Reason.LIFTED: _good("Lift", "The revocation was lifted."),
    Reason.DRILL_OVER: _good("Lift", "The drill ran out."),
    Reason.ASSERTED_BY_GIT: _good("Review", "The profile asserts what the server exposes as approved."),
    Reason.APPROVED: _good("Review", "A reviewer approved this connection; its lease begins anew."),
    Reason.COUNTED: _good("Review", "The review counts."),
    Reason.REVIEWED_BY_AGENT: _bad("Review", "An agent reviewed its own connection; the review is void."),
    Reason.NO_CONNECTION: _bad("Review", "The connection of the review does not exist; the review is void."),
    Reason.OLDER_THAN_CONNECTION: _bad(
        "Review", "The review is older than the connection of that name; it is void."
    ),
    Reason.ANOTHER_SURFACE: _bad(
        "Review", "The review is about another surface than the server exposes; it is void."
    ),
    Reason.FIRST_MINT: _good("Mint", "The first credential of this connection was minted."),
    Reason.ROTATION: _good("Rotate", "The credential was replaced before its end."),
    Reason.RECIPE_CHANGED: _good(
        "Rotate", "The credential was replaced, for what it is made from has changed."
    ),
    Reason.SECRET_DAMAGED: _bad(
        "Rotate",
        "Somebody changed or deleted the Secret; the credential was replaced and the old one revoked.",
    ),
    Reason.GONE_EARLY: _bad("Rotate", "The store ended the credential before its time; it was issued anew."),
    Reason.REISSUE: _good("Rotate", "The credential was issued anew."),
    Reason.OVERLAP_OVER: _good("Revoke", "The previous credential was revoked after its overlap."),
    Reason.CREDENTIAL_EXPIRED: _bad("Rotate", "The credential expired before it could be replaced."),
    Reason.UNPUBLISHED: _bad("Revoke", "A credential was minted but given to nobody; it is revoked."),
    Reason.DOES_NOT_FIT_TYPE: _bad(
        "Mint", "What the store answered does not fit the profile's credential type."
    ),
    Reason.LOST_RACE: _good("Revoke", "Another pass was first; what this one minted is revoked."),
    Reason.ABANDONED: _bad(
        "Abandon", "The ledger was given up on a person's word, with nothing proven dead."
    ),
    Reason.ADOPTED: _good("Recover", "A credential that was written before a restart was found and kept."),
    Reason.NOT_REVOCABLE: _bad("Revoke", "The credential cannot be revoked; it works until it runs out."),
    Reason.REVOCATION_PENDING: _bad(
        "Revoke", "The credential is not proven dead yet; it is tried until it is."
    ),
    Reason.IRREVOCABLE: _bad(
        "Revoke", "The store gave up revoking the lease; it is forced until it is gone."
    ),
    Reason.UNKNOWN_AT_VAULT: _bad(
        "Revoke", "The store does not know the credential; it may work until it expires."
    ),
    Reason.REFUSED: _bad("Mint", "The credential store refused."),
    Reason.UNREACHABLE: _bad("Mint", "The credential store cannot be reached."),
    Reason.SEALED: _bad("Mint", "The credential store is sealed."),
    Reason.THROTTLED: _bad("Mint", "The credential store asks for fewer requests."),
    Reason.TIMEOUT: _bad("Mint", "The credential store did not answer in time."),
    Reason.UNKNOWN_OUTCOME: _bad(
        "Mint", "Whether a request was carried out is not known; it is not repeated blindly."
    ),
    Reason.CLUSTER_UNAVAILABLE: _bad("Decide", "The API server cannot be used at present."),
    Reason.CONFLICT: _good("Decide", "The object changed meanwhile; it is read again."),
    Reason.MALFORMED: _bad("Decide", "An answer or object could not be read."),
    Reason.UNAUTHORIZED: _bad("Probe", "The server wants a credential, or another one."),
    Reason.FORBIDDEN: _bad("Probe", "The server does not let the prober's credential ask."),
    Reason.TLS_FAILED: _bad("Probe", "The server's certificate, or the client's, is not good."),
    Reason.ADDRESS_DENIED: _bad("Probe", "The server's name leads to an address that must not be connected."),
    Reason.REDIRECTED: _bad("Probe", "The server sends the prober elsewhere; nothing is followed."),
    Reason.NOT_MCP: _bad("Probe", "What answers at the server's URL is no MCP server."),
    Reason.UNSUPPORTED_VERSION: _bad(
        "Probe", "The server speaks no protocol version that the prober speaks."
    ),
    Reason.TOO_LARGE: _bad("Probe", "The server sends more than is read or kept."),
    Reason.CURSOR_LOOP: _bad("Probe", "The pages of the server's list lead back to one that was read."),
    Reason.SESSION_LOST: _bad("Probe", "The server forgot the session while it was read."),
    Reason.SERVER_ERROR: _bad("Probe", "The server, or what stands before it, failed."),
    Reason.CREDENTIAL_ECHOED: _bad(
        "Probe", "The server's surface repeats the credential that was sent, so it is not kept."
    ),
    Reason.INTERNAL_ERROR: _bad("Decide", "The operator made a mistake; its log says which."),
}
