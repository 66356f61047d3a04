"""The resource definitions of the API server, made from the models: one schema, written once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.names import GROUP, VERSION
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.api.store import MCPCredentialStore
from leasehold.api.structural import structural

KINDS: Final[tuple[type[Resource], ...]] = (
    MCPCredentialStore,
    MCPServerProfile,
    MCPConnection,
    MCPConnectionReview,
    MCPRevocation,
    MCPToolSnapshot,
    MCPAccessPolicy,
    MCPAgentExposure,
)


class Column(NamedTuple):
    """A column of `kubectl get`. Times are strings: as dates, those in the future print as `<invalid>`."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def to_schema(self) -> dict[str, Any]:
        """One item of `additionalPrinterColumns`."""
        item: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.path,
            "description": self.description,
        }
        return item | ({"priority": 1} if self.wide else {})


def _of_condition(field: str, kind: str = "Ready") -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


AGE: Final = Column("Age", ".metadata.creationTimestamp", "Time since the creation", type="date")

COLUMNS: Final[Mapping[type[Resource], Sequence[Column]]] = {
    MCPCredentialStore: (
        Column("Address", ".spec.address", "Where the store is reached"),
        Column("Auth", ".spec.auth.method", "How service accounts log in"),
        Column("Ready", _of_condition("status"), "Whether credentials can be minted"),
        Column("Mount", ".spec.auth.mount", "Where the auth method is mounted", wide=True),
        Column("Reason", _of_condition("reason"), "Why it is ready, or not", wide=True),
        AGE,
    ),
    MCPServerProfile: (
        Column("URL", ".spec.url", "Where the server is reached"),
        Column("Team", ".spec.owner.team", "Who answers for the server"),
        Column("Store", ".spec.credential.storeName", "Where credentials come from"),
        Column("Type", ".spec.credential.type", "How credentials end"),
        Column(
            "TTL", ".spec.credential.ttlSeconds", "The longest life of a credential in seconds", "integer"
        ),
        Column("Transport", ".spec.transport", "How the server is reached", wide=True),
        Column("Path", ".spec.credential.path", "What is read or written in the store", wide=True),
        AGE,
    ),
    MCPConnection: (
        Column("Server", ".status.server.url", "Where the server is reached"),
        Column("Owner", ".spec.owner.user", "Who answers for the connection"),
        Column("Ready", _of_condition("status"), "Whether the agent may use it"),
        Column("Reason", _of_condition("reason"), "Why it is ready, or not"),
        Column("Expires", ".status.credentialExpiryTime", "When the credential runs out"),
        Column("Review-Due", ".status.reviewDueTime", "From when a review is due"),
        Column("Profile", ".spec.profile", "The MCPServerProfile that is used", wide=True),
        Column("Agent", ".spec.agent.name", "Who uses it", wide=True),
        Column("Team", ".spec.owner.team", "The owner's team", wide=True),
        Column("Lease-End", ".status.leaseEndTime", "When it ends without a review", wide=True),
        Column(
            "Residual",
            ".status.residualExposureUntil",
            "Until when something handed out may work",
            wide=True,
        ),
        Column("Generation", ".status.lastGeneration", "The newest mint", "integer", wide=True),
        AGE,
    ),
    MCPConnectionReview: (
        Column("Connection", ".spec.connection", "What was looked at"),
        Column("Reviewer", ".spec.reviewer", "Who says so"),
        Column("Decision", ".spec.decision", "Approve or Reject"),
        Column("Counted", _of_condition("reason", "Counted"), "Whether it counts, or why not"),
        Column("Digest", ".spec.surfaceDigest", "The surface that was looked at", wide=True),
        Column("Ticket", ".spec.ticket", "The request", wide=True),
        AGE,
    ),
    MCPRevocation: (
        Column("Target", ".spec.target", "Which connections are meant"),
        Column("Matched", ".status.matched", "Connections that are meant", "integer"),
        Column("Verified", ".status.verified", "Those of which everything is dead", "integer"),
        Column("Failed", ".status.failed", "Those of which something could not be ended so far", "integer"),
        Column("Residual", ".status.residual", "Until when what cannot be revoked may still work"),
        Column("Enforced", _of_condition("reason", "Enforced"), "Whether it denies", wide=True),
        Column("Complete", _of_condition("reason", "Complete"), "How far it is", wide=True),
        Column("Requested-By", ".spec.requestedBy", "Who stopped them", wide=True),
        Column("Incident", ".spec.incident", "The incident", wide=True),
        AGE,
    ),
    MCPAccessPolicy: (
        Column("Effect", ".spec.effect", "What a violation does"),
        Column("Grace", ".spec.graceSeconds", "For how many seconds a credential stays", "integer"),
        Column("Lease", ".spec.maxLeaseDurationSeconds", "The longest lease in seconds", "integer"),
        Column("TTL", ".spec.maxTTLSeconds", "The longest life of a credential in seconds", "integer"),
        Column("Types", ".spec.allowedCredentialTypes", "Allowed types of credential", wide=True),
        Column("Profiles", ".spec.allowedProfiles", "Allowed profiles", wide=True),
        Column("Requires", ".spec.requires", "What people have to have done", wide=True),
        AGE,
    ),
    MCPAgentExposure: (
        Column("Connections", ".spec.connectionCount", "How many connections the agent has", "integer"),
        Column("Risk", ".spec.riskTier", "The highest risk tier of its servers"),
        Column("Capabilities", ".spec.capabilities", "All that it can do"),
        Column(
            "Residual", ".spec.residualExposureUntil", "Until when something that was denied may still work"
        ),
        Column("Forbidden", ".spec.forbidden[*].policy", "Policies whose forbidden combinations it has"),
        Column("Servers", ".spec.profiles[*].name", "The profiles that it reaches", wide=True),
        Column("Data", ".spec.dataClasses", "The classes of data that it reaches", wide=True),
        AGE,
    ),
    MCPToolSnapshot: (
        Column("Profile", ".spec.profile", "The MCPServerProfile whose server it is"),
        Column("Digest", ".spec.surfaceDigest", "What is approved, or not"),
        Column("Tools", ".spec.tools", "How many tools are in it", "integer"),
        Column("Captured", ".spec.capturedTime", "When it was captured first"),
        Column("Origin", ".spec.identity.origin", "Where the server is", wide=True),
        Column("Server", ".spec.identity.serverName", "What the server calls itself", wide=True),
        Column("Version", ".spec.identity.serverVersion", "The version that it says it is", wide=True),
        Column("Era", ".spec.identity.era", "The version of the protocol", wide=True),
        AGE,
    ),
}

UNOBSERVED: Final = {"observedGeneration": 0}
"""What a new object is born with: no generation is 0, so tools wait instead of taking it for settled."""

SELECTABLE_FIELDS: Final[Mapping[type[Resource], Sequence[str]]] = {
    MCPConnection: (".spec.profile", ".spec.owner.team"),
    MCPConnectionReview: (".spec.connection", ".spec.reviewer"),
    MCPToolSnapshot: (".spec.profile",),
}


def custom_resource_definition(kind: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind, as an object."""
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema_of(kind)},
        **({"subresources": {"status": {}}} if "status" in kind.model_fields else {}),
        "additionalPrinterColumns": [column.to_schema() for column in COLUMNS[kind]],
    }
    if selectable := SELECTABLE_FIELDS.get(kind):
        version["selectableFields"] = [{"jsonPath": path} for path in selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.NAMESPACED else "Cluster",
            "names": {
                "kind": kind.KIND,
                "listKind": f"{kind.KIND}List",
                "plural": kind.PLURAL,
                "singular": kind.KIND.lower(),
                "shortNames": [kind.SHORT_NAME],
                "categories": ["mcp"],
            },
            "versions": [version],
        },
    }


def schema_of(kind: type[Resource]) -> dict[str, Any]:
    """The structural schema of a whole object; a kind that nothing observes has no status."""
    parts = {"spec": structural(_json_schema(kind, "spec"))}
    if "status" in kind.model_fields:
        status = structural(_json_schema(kind, "status"), with_defaults=False)
        parts["status"] = status | {"default": UNOBSERVED}
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "The version of this schema.", "type": "string"},
            "kind": {"description": "The kind of this object.", "type": "string"},
            "metadata": {"type": "object"},
            **parts,
        },
    }


def _json_schema(kind: type[Resource], part: str) -> dict[str, Any]:
    model: Any = kind.model_fields[part].annotation
    found: dict[str, Any] = model.model_json_schema(by_alias=True)
    return found
