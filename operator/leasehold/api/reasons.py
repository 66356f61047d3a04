"""One vocabulary of reasons for conditions, events, audit records and metric labels."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is as it is. CamelCase, as Kubernetes conditions want it."""

    # Ready, in the order in which the first that holds wins
    REVOKED = "Revoked"
    HELD = "Held"
    REJECTED = "Rejected"
    SUSPENDED = "Suspended"
    EXPIRED = "Expired"
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    SERVICE_ACCOUNT_GONE = "ServiceAccountGone"
    ORPHANED = "Orphaned"
    POLICY_VIOLATED = "PolicyViolated"
    DRIFTED = "Drifted"
    IDLE = "Idle"
    INVALID_SPEC = "InvalidSpec"
    POLICY_UNREADABLE = "PolicyUnreadable"
    SECRET_CONFLICT = "SecretConflict"  # noqa: S105
    LEDGER_LOST = "LedgerLost"
    RECREATED = "Recreated"
    LEDGER_FULL = "LedgerFull"
    STORE_UNAVAILABLE = "StoreUnavailable"
    PENDING = "Pending"
    REVIEW_DUE = "ReviewDue"
    ACTIVE = "Active"

    DELETED = "Deleted"

    # other conditions
    AS_DESIRED = "AsDesired"
    ISSUED = "Issued"
    NOT_ISSUED = "NotIssued"
    RECORD_ONLY = "RecordOnly"
    NEVER_PROBED = "NeverProbed"
    NOT_PROBEABLE = "NotProbeable"
    NO_CREDENTIAL = "NoCredential"
    CAPTURED = "Captured"
    SUPPLIED = "Supplied"
    NO_APPROVED_SURFACE = "NoApprovedSurface"
    CLEAN = "Clean"
    BENIGN_DRIFT = "BenignDrift"
    NO_EVIDENCE_SOURCE = "NoEvidenceSource"
    RECENTLY_USED = "RecentlyUsed"
    NEVER_USED = "NeverUsed"
    IDLE_SOON = "IdleSoon"
    OWNER_LISTED = "OwnerListed"
    OWNER_LEFT = "OwnerLeft"
    DEPUTY_ANSWERS = "DeputyAnswers"
    NO_OWNER_DIRECTORY = "NoOwnerDirectory"
    UNREADABLE_OWNER_DIRECTORY = "UnreadableOwnerDirectory"
    STALE_OWNER_DIRECTORY = "StaleOwnerDirectory"
    SUSPECT_OWNER_DIRECTORY = "SuspectOwnerDirectory"
    WORKING = "Working"
    RETRYING = "Retrying"
    IN_USE = "InUse"
    NOT_IN_USE = "NotInUse"

    # what is in use and not registered
    SHADOW = "Shadow"

    # access policies
    POLICY_SATISFIED = "PolicySatisfied"
    POLICY_REMOVED = "PolicyRemoved"

    # a revocation
    ENFORCED = "Enforced"
    REVOKING = "Revoking"
    VERIFIED = "Verified"
    NOTHING_MATCHED = "NothingMatched"
    RESIDUAL_EXPOSURE = "ResidualExposure"
    LIFTED = "Lifted"
    DRILL_OVER = "DrillOver"

    # reviews
    APPROVED = "Approved"
    ASSERTED_BY_GIT = "AssertedByGit"
    COUNTED = "Counted"
    REVIEWED_BY_AGENT = "ReviewedByAgent"
    NO_CONNECTION = "NoConnection"
    OLDER_THAN_CONNECTION = "OlderThanConnection"
    ANOTHER_SURFACE = "AnotherSurface"

    # why a generation was minted or ended
    FIRST_MINT = "FirstMint"
    ROTATION = "Rotation"
    RECIPE_CHANGED = "RecipeChanged"
    OVERLAP_OVER = "OverlapOver"
    CREDENTIAL_EXPIRED = "CredentialExpired"
    UNPUBLISHED = "Unpublished"
    DOES_NOT_FIT_TYPE = "DoesNotFitType"
    LOST_RACE = "LostRace"
    ABANDONED = "Abandoned"
    ADOPTED = "Adopted"
    REISSUE = "Reissue"
    SECRET_DAMAGED = "SecretDamaged"  # noqa: S105
    GONE_EARLY = "GoneEarly"

    # what became of it
    NOT_REVOCABLE = "NotRevocable"
    REVOCATION_PENDING = "RevocationPending"
    IRREVOCABLE = "Irrevocable"
    UNKNOWN_AT_VAULT = "UnknownAtVault"
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    SEALED = "Sealed"
    THROTTLED = "Throttled"
    TIMEOUT = "Timeout"
    UNKNOWN_OUTCOME = "UnknownOutcome"
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    CONFLICT = "Conflict"
    MALFORMED = "Malformed"

    # why a server's surface could not be read
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    TLS_FAILED = "TLSFailed"
    ADDRESS_DENIED = "AddressDenied"
    REDIRECTED = "Redirected"
    NOT_MCP = "NotMCP"
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    TOO_LARGE = "TooLarge"
    CURSOR_LOOP = "CursorLoop"
    SESSION_LOST = "SessionLost"
    SERVER_ERROR = "ServerError"
    CREDENTIAL_ECHOED = "CredentialEchoed"

    INTERNAL_ERROR = "InternalError"
