"""Texts from outside (specs, Vault's answers, exceptions) go into sentences, annotations and Secrets: each
has a bound, and not every Python string is text that can be encoded."""

import re
from typing import Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BLANKS: Final = re.compile(r"\s+")


def has_surrogates(text: str) -> bool:
    r"""Whether the text holds a lone surrogate (JSON's `\ud800` makes one), which no UTF-8 can carry."""
    return _SURROGATE.search(text) is not None


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters; what is cut off is shown by `…`, between words where
    possible."""
    line = _BLANKS.sub(" ", text).strip()
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    word_end = head.rfind(" ")
    return (head[:word_end] if word_end > limit // 2 else head).rstrip() + "…"


def words(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())
