"""What all resources share: how models read and write, metadata, times, conditions."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

from leasehold.api.reasons import Reason


def rfc3339(moment: datetime) -> str:
    """A UTC time with whole seconds, as Kubernetes writes it: `2026-11-20T09:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""An RFC 3339 time; stored with whole seconds."""

DNSLabel = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
DNSSubdomain = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]


class ApiModel(BaseModel):
    """A frozen part of a resource; camelCase outside, snake_case inside. Unknown fields are ignored, as the
    API server prunes them."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_enum_values=False
    )

    def to_wire(self) -> dict[str, Any]:
        """The JSON form that the API server stores: camelCase, unset and null fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(ApiModel):
    """A Kubernetes owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str


class ObjectMeta(ApiModel):
    """The part of Kubernetes metadata that we read."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()


class ConditionStatus(StrEnum):
    """The three values of a Kubernetes condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """A Kubernetes condition (metav1.Condition)."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    status: ConditionStatus
    reason: Reason
    message: Annotated[str, StringConstraints(max_length=2048)] = ""
    last_transition_time: Time
    observed_generation: Annotated[int, Field(ge=0)] = 0


class SelectorOperator(StrEnum):
    """How a label selector requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelSelectorRequirement(ApiModel):
    """One expression of a label selector."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=317)]
    operator: SelectorOperator
    values: Annotated[tuple[Annotated[str, StringConstraints(max_length=63)], ...], Field(max_length=64)] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether these labels satisfy the expression (the rules of metav1.LabelSelector)."""
        present = self.key in labels
        match self.operator:
            case SelectorOperator.EXISTS:
                return present
            case SelectorOperator.DOES_NOT_EXIST:
                return not present
            case SelectorOperator.IN:
                return present and labels[self.key] in self.values
            case SelectorOperator.NOT_IN:
                return not present or labels[self.key] not in self.values


class LabelSelector(ApiModel):
    """A Kubernetes label selector; the empty one selects everything."""

    match_labels: Annotated[dict[str, str], Field(max_length=64)] = Field(default_factory=dict)
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=64)] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether these labels are selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class Resource(ApiModel):
    """A whole object: kind, metadata, and (in subclasses) spec and status."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT_NAME: ClassVar[str]
    NAMESPACED: ClassVar[bool]

    api_version: Literal["leasehold.dev/v1alpha1"] = "leasehold.dev/v1alpha1"
    metadata: ObjectMeta

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` where the kind is cluster-scoped."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.NAMESPACED else self.metadata.name
