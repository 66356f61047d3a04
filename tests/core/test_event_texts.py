"""Every reason can be told to a person."""

import re

import pytest

from leasehold.api.reasons import Reason
from leasehold.core.events import TEXTS, event_text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_of_its_own(reason: Reason) -> None:
    assert reason in TEXTS
    text = event_text(reason)
    assert re.fullmatch(r"[A-Z].{10,}\.", text.sentence)
    assert re.fullmatch(r"[A-Z][a-z]{2,}", text.action)


def test_no_two_reasons_sound_alike() -> None:
    sentences = [text.sentence for text in TEXTS.values()]
    assert len(sentences) == len(set(sentences))
