"""Who gave which agent access to what, why, and what became of it: one CloudEvents 1.0 envelope for the
intent and one for the result of every step that matters. The published schema is generated from these models;
`audit_record` makes records of what there is in the cluster."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints
from pydantic.json_schema import GenerateJsonSchema

from leasehold.core.audit_chain import AuditChain
from leasehold.core.audit_part import Hashed, Part, ReasonWord, UtcTime

TYPE_PREFIX: Final = "dev.leasehold.audit.v1"
SCHEMA_ID: Final = "urn:leasehold:audit:v1"
SCHEMA_VERSION: Final = "1.1"
"""The minor part rises with what a release adds: 1.1 has the chain, and what a review was about."""
MAX_MESSAGE_CHARS: Final = 1024


class AuditAction(StrEnum):
    """The steps that are recorded."""

    MINT = "mint"
    PUBLISH = "publish"
    ROTATE = "rotate"
    REVOKE = "revoke"
    VERIFY = "verify"
    EXPIRE = "expire"
    SUSPEND = "suspend"
    DELETE = "delete"
    ABANDON = "abandon"
    ADOPT = "adopt"
    STORE = "store"
    BREAKGLASS = "breakglass"
    LIFT = "lift"
    APPROVE = "approve"
    REJECT = "reject"
    DRIFT = "drift"
    IDLE = "idle"
    ORPHANED = "orphaned"
    POLICY = "policy"
    RESTORE = "restore"


class AuditPhase(StrEnum):
    """Before a step, and after it."""

    INTENT = "intent"
    RESULT = "result"


class AuditOutcome(StrEnum):
    """How a step ended; an intent has not."""

    STARTED = "Started"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """They repeat the name in worse spelling."""
        return False


class AuditAgent(Part):
    """Who uses the connection."""

    name: str
    service_account_name: str


class AuditConnection(Part):
    """Which connection, and which generation of its credential."""

    namespace: str
    name: str
    uid: str
    generation: Annotated[int, Field(ge=1)] | None = None


class AuditOwner(Part):
    """Who answers for the connection."""

    user: str
    deputy: str | None = None
    team: str


class AuditFinding(Part):
    """Differences of one kind, by what they are and how many; never the server's words."""

    level: str
    kind: str
    count: Annotated[int, Field(ge=1)]


class AuditDrift(Part):
    """How a server's surface differs from what was approved; `paths` are JSON pointers into the surface."""

    live_digest: Hashed
    approved_digest: Hashed
    level: str
    since: UtcTime
    deadline: UtcTime | None = None
    findings: tuple[AuditFinding, ...]
    paths: tuple[str, ...]


class AuditReview(Part):
    """Which review a person's word is in, and the surface that they had looked at."""

    name: str
    surface_digest: Hashed | None = None


class AuditPolicy(Part):
    """A rule of an access policy that the connection does not satisfy, and by which state of the policy."""

    name: str
    generation: Annotated[int, Field(ge=0)]
    rule: str
    effect: str
    since: UtcTime
    deadline: UtcTime | None = None


class _Step(Part):
    """What every record says."""

    sequence: Annotated[int, Field(ge=0)]
    previous_hash: Hashed | None = None
    """Of the record before it of the same source; absent in the first one."""
    chain: AuditChain | None = None
    """In the first record of a source alone."""
    actor: Annotated[str, StringConstraints(min_length=1)]
    action: AuditAction
    phase: AuditPhase
    outcome: AuditOutcome
    reason: ReasonWord
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARS)] | None = None


class AuditData(_Step):
    """What happened."""

    agent: AuditAgent
    connection: AuditConnection
    owner: AuditOwner
    purpose: str
    ticket: str | None = None
    profile: str
    server_url: str | None = Field(default=None, alias="serverURL")
    credential_type: str | None = None
    accessor_hash: Hashed | None = None
    lease_id_hash: Hashed | None = Field(default=None, alias="leaseIDHash")
    revocations: tuple[str, ...] | None = None
    policies: tuple[AuditPolicy, ...] | None = None
    """All that the connection does not satisfy at the time."""
    violation: AuditPolicy | None = None
    """In a record of the action `policy`: the rule that it has begun, or ceased, to violate."""
    drift: AuditDrift | None = None
    assurance: str | None = None
    review: AuditReview | None = None


class AuditRevocation(Part):
    """Which breakglass switch, and how far it is. All counts are of connections."""

    name: str
    uid: str
    target: str
    incident: str | None = None
    requested_by: str
    on_lift: str
    matched: int
    revoked: int
    verified: int
    failed: int
    residual: str | None = None


class AuditRevocationData(_Step):
    """What happened to a breakglass switch."""

    revocation: AuditRevocation


class AuditAccessPolicy(Part):
    """Which access policy, and the last state of it that was known."""

    name: str
    uid: str
    generation: Annotated[int, Field(ge=0)]
    effect: str


class AuditAccessPolicyData(_Step):
    """What happened to an access policy."""

    policy: AuditAccessPolicy


class AuditEnvelope(Part):
    """A CloudEvents 1.0 event in structured JSON."""

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1)]
    source: Annotated[str, StringConstraints(pattern=r"^/leasehold/.+$")]
    type: Annotated[str, StringConstraints(pattern=r"^dev\.leasehold\.audit\.v1\.[a-z]+\.(intent|result)$")]
    subject: Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$")]
    time: UtcTime
    datacontenttype: Literal["application/json"]
    data: AuditData | AuditRevocationData | AuditAccessPolicyData


def audit_schema() -> dict[str, Any]:
    """The JSON Schema of a record, as published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "$comment": f"version {SCHEMA_VERSION}",
        **AuditEnvelope.model_json_schema(by_alias=True, schema_generator=_WithoutFieldTitles),
    }
