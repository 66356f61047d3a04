"""What the new texts of a server say. Only what is new counts: a text that stood in the approved surface was seen
by whoever approved it, wherever it stands now."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from leasehold.core.drift import Finding, FindingKind
from leasehold.core.drift_cues import cues_in
from leasehold.core.field_compare import a_finding
from leasehold.core.hidden_text import hidden, visible
from leasehold.core.json_paths import texts
from leasehold.core.surface import Surface
from leasehold.core.wire_json import JsonValue


@dataclass(frozen=True)
class _Suspicious:
    path: str
    text: str
    hidden: str
    cues: frozenset[tuple[FindingKind, str]]


class NewTexts:
    """Looks at texts that an old surface did not have."""

    def __init__(self, old: Surface) -> None:
        self._old = old

    def findings(self, item: str, path: str, old: JsonValue, new: JsonValue) -> Iterator[Finding]:
        """Hidden characters and cues in the new texts of one thing; `old` is null if it was not there."""
        was, now = list(texts(old)), list(texts(new, path))
        told = {text for _, text in was}
        fresh = [_Suspicious(at, text, hidden(text), cues_in(text)) for at, text in now if text not in told]
        suspicious = [each for each in fresh if (each.hidden or each.cues) and each.text not in self._known]
        if suspicious:
            yield from _hidden(item, suspicious, _hidden_in(now) - _hidden_in(was))
            yield from _cues(item, suspicious, frozenset().union(*(cues_in(text) for text in told)))

    @cached_property
    def _known(self) -> frozenset[str]:
        surface = self._old
        everything: list[JsonValue] = [
            surface.server_info,
            surface.capabilities,
            surface.instructions,
            *surface.tools,
            *surface.prompts,
            *surface.resource_templates,
        ]
        return frozenset(text for _, text in texts(everything))


def _hidden(item: str, suspicious: Iterable[_Suspicious], grown: Counter[str]) -> Iterator[Finding]:
    """Texts with characters of which the thing has more than it had."""
    for each in suspicious:
        if any(grown[character] > 0 for character in each.hidden):
            yield a_finding(FindingKind.HIDDEN_CHARACTERS, item, each.path, after=visible(each.hidden))


def _cues(
    item: str, suspicious: Iterable[_Suspicious], told: frozenset[tuple[FindingKind, str]]
) -> Iterator[Finding]:
    for each in suspicious:
        fresh = sorted(each.cues - told)
        for kind in sorted({kind for kind, _ in fresh}):
            words = " … ".join(words for cue, words in fresh if cue is kind)
            yield a_finding(kind, item, each.path, after=visible(words))


def _hidden_in(found: Iterable[tuple[str, str]]) -> Counter[str]:
    return Counter(character for _, text in found for character in hidden(text))
