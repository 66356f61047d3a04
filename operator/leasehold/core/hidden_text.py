"""A person approves what is seen, and a model reads what is there. Characters without a glyph carry text from the
one past the other, and control characters rewrite a terminal; but emoji, joined scripts and right-to-left texts
need some of them honestly."""

import re
import unicodedata
from itertools import islice
from typing import Final

_CONTROL: Final = "\x00-\x08\x0e-\x1f\x7f"
"""Without white space. C1 is no part of it: text that was decoded wrongly is full of it."""

_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The code points that Unicode wants ignored when they cannot be shown, and interlinear annotations."""

_SUSPECT: Final = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
_UNSHOWABLE: Final = re.compile(
    f"[{_CONTROL}{_INVISIBLE}\t-\r\x80-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]"
)
_FLAG: Final = re.compile(
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
)
"""England, Scotland, Wales: the only emoji that are made of tag characters."""

_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_JOINED_SCRIPT: Final = re.compile("[\u0600-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]")
_SPACELESS_SCRIPT: Final = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]")
_MONGOLIAN: Final = re.compile("[\u1820-\u18aa]")
_HAN: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KEYCAP_BASE: Final = re.compile("[0-9#*]")

_BREAKS: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SYMBOLS: Final = frozenset({"So", "Sm", "Sk", "Po", "Pd"})
_ESCAPED_BY_MISTAKE: Final = "\x00\x07\x08"
r"""What `\0`, `\a` and `\b` become where the description is a Python docstring with a pattern or a path in it."""

_MARKS_OF_DIRECTION: Final = "\u061c\u200e\u200f"

MAX_SHOWN: Final = 160
MAX_HIDDEN: Final = 10_000


def hidden(text: str) -> str:
    """The characters of a text that no reader sees and no honest writing needs, in their order; the first
    `MAX_HIDDEN` of them, which are many more than anybody can explain."""
    if not _SUSPECT.search(text):
        return ""
    plain = _FLAG.sub("\U0001f3f4", text)
    right_to_left = _RIGHT_TO_LEFT.search(plain) is not None
    found = (
        match.group()
        for match in _SUSPECT.finditer(plain)
        if not _is_honest(plain, match.start(), right_to_left=right_to_left)
    )
    return "".join(islice(found, MAX_HIDDEN))


def without_hidden(text: str) -> str:
    """The text as it is seen: all that has no glyph taken out, honest or not."""
    return _SUSPECT.sub("", text)


def visible(text: str, limit: int = MAX_SHOWN) -> str:
    """One line of at most `limit` characters in which everything shows: control characters, line breaks, and
    what is hidden or turns the direction are written as `\\n` or `\\u{200B}`. Safe for a terminal."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown = _UNSHOWABLE.sub(_escaped, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def code_span(text: str) -> str:
    """A visible text as inline code of Markdown, also in a table: it starts no link, mention, markup or cell."""
    content = text.replace("|", "\\u{7C}") or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", content)), default=0) + 1)
    return (
        f"{fence} {content} {fence}"
        if "`" in content or content != content.strip()
        else fence + content + fence
    )


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if (
        character not in _ESCAPED_BY_MISTAKE
        and _SUSPECT.match(character)
        and _is_honest(match.string, match.start(), right_to_left=False)
    ):
        return character
    return _BREAKS.get(character) or f"\\u{{{ord(character):04X}}}"


def _is_honest(text: str, at: int, *, right_to_left: bool) -> bool:
    """Whether the neighbours explain a character without a glyph."""
    character, before, after = text[at], text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if character == "\u00ad":
        return before.isalpha() and after.isalpha()
    if character == "\ufeff":
        return at == 0
    if character in _ESCAPED_BY_MISTAKE:
        return not (_SUSPECT.match(before) or _SUSPECT.match(after))
    if character == "\u200b":
        return _SPACELESS_SCRIPT.match(before) is not None
    if character in "\u200c\u200d":
        joins_emoji = (
            character == "\u200d" and (before == "\ufe0f" or _is_symbol(before)) and _is_symbol(after)
        )
        return joins_emoji or _JOINED_SCRIPT.match(before) is not None
    if character in _MARKS_OF_DIRECTION:
        return right_to_left and not _SUSPECT.match(before)
    return _is_variant(character, before, after)


def _is_variant(character: str, before: str, after: str) -> bool:
    """Whether a variation selector follows what has variants; a second one in a row never does."""
    if not before:
        return False
    if character in "\ufe0e\ufe0f":
        keycap = _KEYCAP_BASE.match(before) is not None and after == "\u20e3"
        return keycap or before == "\u2139" or (_is_symbol(before) and not before.isascii())
    if "\ufe00" <= character <= "\ufe0d":
        return unicodedata.category(before) in {"Sm", "So", "Lo"}
    if "\U000e0100" <= character <= "\U000e01ef":
        return _HAN.match(before) is not None
    return "\u180b" <= character <= "\u180f" and _MONGOLIAN.match(before) is not None


def _is_symbol(character: str) -> bool:
    return bool(character) and unicodedata.category(character) in _SYMBOLS
