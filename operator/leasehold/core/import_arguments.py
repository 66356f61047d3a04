"""A server's command: what starts it, what it is told, and which credentials are among that. An argument can mean
anything to its program, so of those only what is known to be harmless is shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from leasehold.api.profile import Transport
from leasehold.core.import_found import CredentialKind, Place
from leasehold.core.import_sightings import Sightings, is_credential
from leasehold.core.import_urls import is_url
from leasehold.core.import_values import REDACTED, is_plain_path, is_secret_name, looks_secret, shown_name
from leasehold.core.import_vocabulary import (
    ASSIGNMENT,
    BRIDGES,
    CONTAINERS,
    FILE_OPTIONS,
    HARMLESS,
    HEADER_OPTIONS,
    LAUNCHERS,
    NUMBER,
    OPTION,
    PACKAGE,
    PACKAGE_OPTIONS,
    PROGRAM,
    SEPARATORS,
    SHELLS,
    SUBCOMMANDS,
    VARIABLE,
    VARIABLE_OPTIONS,
    WITH_VALUE,
    WRAPPERS,
    bare_name,
    is_one_program,
    split_words,
)


@dataclass
class ReadCommand:
    """A command that may be shown; `package` is what was started, `remote` the server behind a bridge."""

    shown: list[str] = field(default_factory=list)
    package: str | None = None
    remote: str | None = None
    transport: Transport | None = None

    @property
    def is_bridge(self) -> bool:
        """Whether it only leads to a server elsewhere."""
        return self.program in BRIDGES

    @property
    def program(self) -> str:
        """What was started, without version and folder."""
        return bare_name(self.package or "")


def read_command(command: str, arguments: Sequence[str], sightings: Sightings, place: Place) -> ReadCommand:
    """A command and its arguments; their credentials come into sight."""
    words = [command] if is_one_program(command) else split_words(command) or [command]
    reading = _Reading(sightings, place)
    reading.read([*words, *arguments])
    return reading.result


def _is_secret(option: str) -> bool:
    return is_secret_name(option) and not option.startswith(("--no-", "--disable-", "--skip-", "--allow-"))


class _Reading:
    """From left to right, with what the option before asks for."""

    def __init__(self, sightings: Sightings, place: Place) -> None:
        self.result = ReadCommand()
        self._sightings = sightings
        self._place = place
        self._launched = False
        self._takes_packages = False
        self._has_program = False
        self._shell = False
        self._started = False

    def read(self, words: Sequence[str]) -> None:
        """All words of a command line."""
        option = ""
        for word in words:
            if not self._started:
                self.result.shown.append(self._program(word))
                continue
            shown, option = self._word(word, option)
            self.result.shown.append(shown)

    def _program(self, word: str) -> str:
        assignment = ASSIGNMENT.match(word)
        if assignment:
            return self._assignment(assignment)
        if word in SEPARATORS:
            return word
        if word.startswith(("-", "/c", "/C")) and len(word) <= 3:
            return word
        if " " in word and not is_one_program(word):
            self._started = True
            return self._script(word)
        name = bare_name(word)
        if name in WRAPPERS:
            return name
        self._started, self._launched, self._shell = True, name in LAUNCHERS, name in SHELLS
        self._takes_packages = self._launched and name not in CONTAINERS
        self._has_program = False
        if is_url(word) or looks_secret(word) or not (PROGRAM.match(word) or is_one_program(word)):
            return self._argument("", word)
        self.result.package = None if self._launched else word
        return word

    def _word(self, word: str, option: str) -> tuple[str, str]:
        """What to show of a word, and the option that waits for the next one."""
        if option and word.startswith("--") and OPTION.match(word):
            shown, following = self._option(word)  # what waited was a switch, or this is a strange secret
            return (REDACTED if _is_secret(option) else shown), following
        if option:
            return self._value(option, word), ""
        if self._shell and word in ("-c", "-lc", "-ec"):
            return word, "sh -c"
        if word in SEPARATORS or (word == "--" and not self._launched):
            self._started = False
            return word, ""
        if word.startswith("-") and word != "--":
            return self._option(word)
        return self._positional(word), ""

    def _option(self, word: str) -> tuple[str, str]:
        name, equals, value = word.partition("=")
        if name.startswith("-e") and len(name) > 2 and not name.startswith("--") and equals:
            return f"-e{self._value('-e', word[2:])}", ""
        if name.startswith("-H") and len(name) > 2:
            return f"-H{self._value('-H', word[2:])}", ""
        shown = name if OPTION.match(name) and not looks_secret(name) else REDACTED
        if equals:
            return f"{shown}={self._value(name, value)}", ""
        if shown == REDACTED and is_credential("", name.lstrip("-")):
            self._sightings.add(CredentialKind.STATIC_ARGUMENT, "", self._place, name.lstrip("-"))
        self._note_transport(name)
        return shown, name if self._takes_a_value(name) else ""

    def _takes_a_value(self, name: str) -> bool:
        told = HEADER_OPTIONS | VARIABLE_OPTIONS | FILE_OPTIONS | PACKAGE_OPTIONS
        waiting = self._launched and not self._has_program
        return name in told or _is_secret(name) or name == "--transport" or (waiting and name in WITH_VALUE)

    def _value(self, option: str, text: str) -> str:
        if option == "sh -c":
            return self._script(text)
        if option in HEADER_OPTIONS:
            return self._header(text)
        if option in VARIABLE_OPTIONS:
            assignment = ASSIGNMENT.match(text)
            return self._assignment(assignment) if assignment else shown_name(text)
        if option in FILE_OPTIONS:
            self._sightings.add(CredentialKind.FILE_REFERENCE, option, self._place)
            return text if is_plain_path(text) else REDACTED
        if option in PACKAGE_OPTIONS and self._takes_packages:
            return self._package(text)
        if option == "--transport":
            self._note_transport(text)
        return self._argument(option, text)

    def _positional(self, word: str) -> str:
        waiting = self._launched and not self._has_program
        if waiting and word not in SUBCOMMANDS and not ASSIGNMENT.match(word):
            self._has_program = True
            return self._package(word)
        assignment = ASSIGNMENT.match(word)
        if assignment and not is_url(word):
            return self._assignment(assignment, named=False)
        return self._argument("", word)

    def _package(self, word: str) -> str:
        """What is launched; where an option has named the package already, this is only its program."""
        harmless = PACKAGE.match(word) and not is_url(word) and not looks_secret(word)
        shown = word if harmless or is_plain_path(word) else self._argument("", word)
        self.result.package = self.result.package or shown
        return shown

    def _script(self, text: str) -> str:
        words = split_words(text)
        if len(words) < 2:
            return self._argument("", text)
        inner = _Reading(self._sightings, self._place)
        inner.read(words)
        self.result.package, self.result.remote = inner.result.package, inner.result.remote
        self.result.transport = inner.result.transport
        return " ".join(inner.result.shown)

    def _header(self, text: str) -> str:
        name, colon, value = text.partition(":")
        if not colon:
            name, colon, value = text.partition("=")
        if not colon or shown_name(name.strip()) == REDACTED:
            self._sightings.see(CredentialKind.STATIC_HEADER, "", text, self._place)
            return REDACTED
        self._sightings.see_header(name.strip(), value.strip(), self._place)
        return f"{name.strip()}: {REDACTED}"

    def _assignment(self, assignment: re.Match[str], *, named: bool = True) -> str:
        name, value = assignment.groups()
        shown = shown_name(name) if named or VARIABLE.match(name) else REDACTED
        if is_secret_name(name) or is_credential(name, value):
            self._sightings.see(CredentialKind.STATIC_ARGUMENT, shown, value, self._place)
        else:
            self._sightings.see_within(CredentialKind.STATIC_ARGUMENT, value, self._place)
        return f"{shown}={REDACTED}"

    def _argument(self, option: str, text: str) -> str:
        """Any other argument: shown only if it is known to be harmless."""
        name = option.lstrip("-")
        if _is_secret(option) and text not in HARMLESS:
            self._sightings.see(CredentialKind.STATIC_ARGUMENT, shown_name(name), text, self._place)
            return REDACTED
        if is_url(text):
            shown = self._sightings.see_url(text, self._place)
            if shown.startswith(("http://", "https://")) and self.result.remote is None:
                self.result.remote = shown
            return shown
        if is_credential(name, text):
            self._sightings.see(
                CredentialKind.STATIC_ARGUMENT, shown_name(name) if name else "", text, self._place
            )
            return REDACTED
        self._sightings.see_within(CredentialKind.STATIC_ARGUMENT, text, self._place)
        return text if text in HARMLESS or NUMBER.match(text) or is_plain_path(text) else REDACTED

    def _note_transport(self, word: str) -> None:
        bare = word.lstrip("-").lower().replace("-", "").replace("_", "")
        if bare in ("sse", "sseonly"):
            self.result.transport = Transport.SSE
        elif bare in ("streamablehttp", "httponly", "http"):
            self.result.transport = Transport.STREAMABLE_HTTP
