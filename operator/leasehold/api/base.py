"""What all resources share: how models read and write, metadata, times, conditions."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from leasehold.api.reasons import Reason
from leasehold.api.rules import (
    ATOMIC,
    MAP_TYPE,
    ListType,
    add_validations,
    keys_match,
    rule,
    rules_of,
    transitions_of,
)


def rfc3339(moment: datetime) -> str:
    """A UTC time with whole seconds, as Kubernetes writes it: `2026-11-20T09:30:00Z`."""
    return f"{moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def whole_seconds(moment: datetime) -> datetime:
    """As the API server stores it."""
    return moment.astimezone(UTC).replace(microsecond=0)


Time = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str)]
"""An RFC 3339 time; stored with whole seconds."""

Integer = Annotated[int, Strict()]
"""Strict, as the API server is: neither "10" nor true is a number."""

Boolean = Annotated[bool, Strict()]

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
LABEL_KEY = r"^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317, pattern=LABEL_KEY)]
LabelValue = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]


_FIELDS_SETS: dict[frozenset[str], set[str]] = {}


class ApiModel(BaseModel):
    """A frozen part of a resource; camelCase outside, snake_case inside. Unknown fields are ignored, as the
    API server prunes them."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_enum_values=False,
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """The JSON form that the API server stores: camelCase, unset and null fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        broken = [found.message for name, found in rules_of(type(self)) if not getattr(self, name)()]
        if broken:
            raise ValueError("; ".join(broken))
        self._share_fields_set()
        return self

    def _share_fields_set(self) -> None:
        """Models that were given the same fields hold one set of their names: sets of their own are more than half
        of what an object takes in memory. No frozen model changes its set, and a copy gets one of its own."""
        given = self.__pydantic_fields_set__
        shared = _FIELDS_SETS.setdefault(frozenset(given), given)
        object.__setattr__(self, "__pydantic_fields_set__", shared)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        json_schema = handler(core_schema)
        found = [*rules_of(cls), *transitions_of(cls)]
        add_validations(handler.resolve_ref_schema(json_schema), [each for _, each in found])
        return json_schema


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


StatedReason = Annotated[
    Reason,
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        }
    ),
]
"""In the schema no enum: a newer operator writes its new reasons under the older resource definition, too."""


class ConditionStatus(StrEnum):
    """The three values of a Kubernetes condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


ObservedGeneration = Annotated[Integer, Field(ge=0)]


class Condition(ApiModel):
    """A Kubernetes condition (metav1.Condition)."""

    type: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64, pattern="^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"),
    ]
    """What the condition is about, in CamelCase."""
    status: ConditionStatus
    """Whether it holds: True, False, or Unknown."""
    reason: StatedReason
    """Why, as one CamelCase word for programs."""
    message: Annotated[str, StringConstraints(max_length=2048)] = ""
    """Why, as a sentence for people."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this was found for."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), ListType("map", ("type",))]


class SelectorOperator(StrEnum):
    """How a label selector requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelSelectorRequirement(ApiModel):
    """One expression of a label selector."""

    key: LabelKey
    """The label that is looked at."""
    operator: SelectorOperator
    """How the label's value relates to `values`: In, NotIn, Exists or DoesNotExist."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64), ATOMIC] = ()
    """What the label's value is compared with; for In and NotIn only."""

    @rule(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        "give values with the operators In and NotIn, and leave them out with Exists and DoesNotExist",
        field="values",
    )
    def values_fit_operator(self) -> bool:
        return (self.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)) == bool(self.values)

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

    model_config = ConfigDict(json_schema_extra={MAP_TYPE: "atomic"})

    match_labels: Annotated[
        dict[str, LabelValue],
        Field(max_length=64),
        keys_match(LABEL_KEY, 317, "write label keys as name or prefix/name, as in app.kubernetes.io/name"),
    ] = Field(default_factory=dict)
    """Labels that must all be there with exactly these values."""
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=64), ATOMIC] = ()
    """Expressions that must all hold."""

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
    GROUP_VERSION: ClassVar[str] = "leasehold.dev/v1alpha1"

    api_version: Literal["leasehold.dev/v1alpha1"] = "leasehold.dev/v1alpha1"
    metadata: ObjectMeta

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` where the kind is cluster-scoped."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.NAMESPACED else self.metadata.name
