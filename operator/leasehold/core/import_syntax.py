"""The languages in which configurations are written. What stands in them may be secret, so no error quotes them: it
names the line, and what would be right there. JSON is read as the more tolerant editors read it, with comments and
commas before a closing bracket; that a client reads less is for `import_files` to say."""

import json
import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

MAX_BYTES: Final = 64 * 1024 * 1024

_TOKEN: Final = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[]}])', re.DOTALL
)
_TOML_AT: Final = re.compile(r"at line ([0-9]+)")


class Syntax(StrEnum):
    """A language of configurations."""

    JSON = "JSON"
    TOML = "TOML"
    YAML = "YAML"


class UnfitText(ValueError):
    """A text that is not in its language. The message quotes nothing of it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Parsed:
    """What a text says, and the first line at which it is more than plain JSON."""

    value: Any
    beyond_json: int | None = None


def decoded(data: bytes) -> str:
    """Text as editors save it: UTF-8, or UTF-16 with its byte order mark.

    :raises UnfitText: it is neither, or too long
    """
    if len(data) > MAX_BYTES:
        raise UnfitText(f"it is longer than {MAX_BYTES // 2**20} MiB, and so no configuration")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnfitText(
            f"byte {error.start} is no {encoding[:6].upper().strip('-')}; save it as UTF-8", line
        ) from error


def parsed(text: str, syntax: Syntax) -> Parsed:
    """The document.

    :raises UnfitText: it is none
    """
    try:
        match syntax:
            case Syntax.JSON:
                return _json(text)
            case Syntax.TOML:
                return Parsed(tomllib.loads(text))
            case Syntax.YAML:
                return Parsed(yaml.safe_load(text))
    except tomllib.TOMLDecodeError as error:
        at = _TOML_AT.search(str(error))
        raise UnfitText("it is no TOML from here on", int(at[1]) if at else None) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnfitText(
            "it is no YAML from here on: look at the indentation, and quote texts with special characters",
            None if mark is None else mark.line + 1,
        ) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, UnfitText):
            raise
        raise UnfitText(f"it is no {syntax} that a client reads: too deep, or a number is too long") from None


def _json(text: str) -> Parsed:
    first: list[int] = []

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token.startswith('"'):
            return token
        first.append(match.start())
        return re.sub(r"[^\n]", " ", token)

    plain = _TOKEN.sub(blank, text)
    beyond = text.count("\n", 0, first[0]) + 1 if first else None
    try:
        return Parsed(json.loads(plain), beyond)
    except json.JSONDecodeError as error:
        raise UnfitText(_right(plain, error), error.lineno) from None


def _right(text: str, error: json.JSONDecodeError) -> str:
    """What is wrong, and what would be right, without a word of the text."""
    if not text.strip():
        return 'it is empty; write {"mcpServers": {}}'
    here = text[error.pos : error.pos + 1]
    if not here or error.msg.startswith("Unterminated"):
        return f"column {error.colno}: it ends too early; close every quotation mark, brace and bracket"
    if re.search(r"^(?:<{7}|={7}|>{7})", text, re.MULTILINE):
        return f"column {error.colno}: a merge conflict is left in it; resolve it"
    wanted = {
        "Expecting ',' delimiter": "write a comma between two members",
        "Expecting ':' delimiter": "write a colon after the name",
        "Expecting property name enclosed in double quotes": "write the name in double quotes",
        "Extra data": "end the file after its first object",
        "Invalid \\escape": "write a backslash as \\\\",
        "Expecting value": "write a value in double quotes, a number, true, false, null, an object or a list",
    }
    return f"column {error.colno}: {wanted.get(error.msg, 'it is no JSON from here on')}"
