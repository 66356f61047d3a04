"""A server that exposes something else than what was approved has drifted, and most drift is honest. So each
difference is a finding of a named kind, and the kind alone decides its class: what may pass, what a person has to
look at, what is an alarm, and what no honest vendor ships."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class DriftClass(StrEnum):
    """What a finding means, from harmless to worst."""

    NONE = "none"
    BENIGN = "benign"
    REVIEW = "review"
    DANGEROUS = "dangerous"
    HOSTILE = "hostile"

    @property
    def rank(self) -> int:
        return list(DriftClass).index(self)


class FindingKind(StrEnum):
    """What was found, in the order in which findings of one class are told."""

    HIDDEN_CHARACTERS = "HiddenCharacters"
    DUPLICATE_TOOL_NAME = "DuplicateToolName"

    CERTIFICATE_ISSUER_CHANGED = "CertificateIssuerChanged"
    AGENT_INSTRUCTION = "AgentInstruction"
    CREDENTIAL_REQUEST = "CredentialRequest"
    CREDENTIAL_PARAMETER_ADDED = "CredentialParameterAdded"
    READ_ONLY_LOST = "ReadOnlyLost"
    BECAME_DESTRUCTIVE = "BecameDestructive"
    BECAME_OPEN_WORLD = "BecameOpenWorld"
    DESTRUCTIVE_TOOL_ADDED = "DestructiveToolAdded"

    ORIGIN_CHANGED = "OriginChanged"
    PROTOCOL_CHANGED = "ProtocolChanged"
    SERVER_INFO_CHANGED = "ServerInfoChanged"
    INSTRUCTIONS_CHANGED = "InstructionsChanged"
    CAPABILITY_CHANGED = "CapabilityChanged"
    TOOL_ADDED = "ToolAdded"
    TOOL_REMOVED = "ToolRemoved"
    DESCRIPTION_CHANGED = "DescriptionChanged"
    INPUT_SCHEMA_CHANGED = "InputSchemaChanged"
    OUTPUT_SCHEMA_CHANGED = "OutputSchemaChanged"
    HINT_CHANGED = "HintChanged"
    TOOL_FIELD_CHANGED = "ToolFieldChanged"
    PROMPT_ADDED = "PromptAdded"
    PROMPT_REMOVED = "PromptRemoved"
    PROMPT_CHANGED = "PromptChanged"
    RESOURCE_TEMPLATE_ADDED = "ResourceTemplateAdded"
    RESOURCE_TEMPLATE_REMOVED = "ResourceTemplateRemoved"
    RESOURCE_TEMPLATE_CHANGED = "ResourceTemplateChanged"

    VERSION_CHANGED = "VersionChanged"
    TITLE_CHANGED = "TitleChanged"
    ICONS_CHANGED = "IconsChanged"
    META_CHANGED = "MetaChanged"
    DEFAULT_MADE_EXPLICIT = "DefaultMadeExplicit"
    ORDER_CHANGED = "OrderChanged"


_NOT_REVIEW: Final[Mapping[DriftClass, frozenset[FindingKind]]] = {
    DriftClass.HOSTILE: frozenset({FindingKind.HIDDEN_CHARACTERS, FindingKind.DUPLICATE_TOOL_NAME}),
    DriftClass.DANGEROUS: frozenset(
        {
            FindingKind.CERTIFICATE_ISSUER_CHANGED,
            FindingKind.AGENT_INSTRUCTION,
            FindingKind.CREDENTIAL_REQUEST,
            FindingKind.CREDENTIAL_PARAMETER_ADDED,
            FindingKind.READ_ONLY_LOST,
            FindingKind.BECAME_DESTRUCTIVE,
            FindingKind.BECAME_OPEN_WORLD,
            FindingKind.DESTRUCTIVE_TOOL_ADDED,
        }
    ),
    DriftClass.BENIGN: frozenset(
        {
            FindingKind.VERSION_CHANGED,
            FindingKind.TITLE_CHANGED,
            FindingKind.ICONS_CHANGED,
            FindingKind.META_CHANGED,
            FindingKind.DEFAULT_MADE_EXPLICIT,
            FindingKind.ORDER_CHANGED,
        }
    ),
}

CLASS_OF: Final[Mapping[FindingKind, DriftClass]] = {
    kind: next((each for each, kinds in _NOT_REVIEW.items() if kind in kinds), DriftClass.REVIEW)
    for kind in FindingKind
}
"""What is not known to be anything else is for review."""

_TOLD_IN_ORDER: Final = {kind: place for place, kind in enumerate(FindingKind)}

SERVER: Final = "server"
"""The item of findings about the server as a whole."""

MAX_COLLAPSED: Final = 20


@dataclass(frozen=True)
class Finding:
    """One difference. All texts are made safe to show.

    `item` is the tool, prompt or template; `path` a JSON pointer into the surface that names it instead of
    counting, as in `/tools/search/inputSchema/required`. `before` and `after` are excerpts, empty where there
    was nothing, or nothing to show.
    """

    kind: FindingKind
    item: str
    path: str
    before: str = ""
    after: str = ""

    @property
    def drift_class(self) -> DriftClass:
        return CLASS_OF[self.kind]


@dataclass(frozen=True)
class CollapsedFinding:
    """One line that stands for `count` findings of a kind; `item` is empty where they are of several items."""

    kind: FindingKind
    item: str
    count: int

    @property
    def drift_class(self) -> DriftClass:
        return CLASS_OF[self.kind]


def worst(findings: Iterable[Finding]) -> DriftClass:
    """The class of the whole: that of the worst finding."""
    return max((each.drift_class for each in findings), key=lambda each: each.rank, default=DriftClass.NONE)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, worst first, and the same order for the same findings."""
    return tuple(sorted(set(findings), key=_place))


def collapse(findings: Iterable[Finding], limit: int = MAX_COLLAPSED) -> tuple[CollapsedFinding, ...]:
    """At most `limit` lines, worst first, which together count every finding that is among them. Items are told
    apart while there is room; where even the kinds are too many, the most harmless are left out."""
    told = in_order(findings)
    by_item = Counter((each.kind, each.item) for each in told)
    if len(by_item) <= limit:
        return tuple(CollapsedFinding(kind, item, count) for (kind, item), count in by_item.items())
    return _by_kind(told, by_item)[:limit]


def _by_kind(
    told: Sequence[Finding], by_item: Mapping[tuple[FindingKind, str], int]
) -> tuple[CollapsedFinding, ...]:
    items: dict[FindingKind, list[str]] = {}
    for kind, item in by_item:
        items.setdefault(kind, []).append(item)
    counts = Counter(each.kind for each in told)
    return tuple(
        CollapsedFinding(kind, items[kind][0] if len(items[kind]) == 1 else "", count)
        for kind, count in counts.items()
    )


def _place(finding: Finding) -> tuple[int, int, str, str, str, str]:
    return (
        -finding.drift_class.rank,
        _TOLD_IN_ORDER[finding.kind],
        finding.item,
        finding.path,
        finding.before,
        finding.after,
    )
