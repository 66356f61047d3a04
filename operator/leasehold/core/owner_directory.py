"""The owner directory: who is there, as an identity job writes it down. Either a file of our own form, or a SCIM
2.0 list response (RFC 7644, section 3.4.2) as an identity provider answers it, both with the time when it was made.

Absence means something only where the list is whole, so a page of a longer list is refused, like anything else that
leaves a doubt. No error quotes a name: it says which entry, and which field."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from leasehold.core.import_syntax import Syntax, UnfitText, decoded, parsed

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_YAML_BYTES: Final = 1024 * 1024
"""As much as a ConfigMap holds. YAML is read far more slowly than JSON."""
LIST_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class BadOwnerDirectory(ValueError):
    """It cannot be believed; the message names the line or field, and what would be right."""


@dataclass(frozen=True)
class OwnerDirectory:
    """Who is there, as of a time."""

    as_of: datetime
    active: frozenset[str]
    """Every name of everybody who is active, folded."""


def folded(user: str) -> str:
    """As names are compared: SCIM's userName and e-mail addresses do not tell upper from lower case."""
    return user.casefold()


def read_directory(data: bytes) -> OwnerDirectory:
    """The directory that a file holds.

    :raises BadOwnerDirectory: it is none, or not a whole one
    """
    body = _document(data)
    if not isinstance(body, dict):
        raise BadOwnerDirectory("write an object with asOf and users, or a SCIM ListResponse with asOf added")
    as_of = _time(body.get("asOf"))
    people = _resources(body) if "schemas" in body or "Resources" in body else _users(body)
    return OwnerDirectory(as_of, frozenset(folded(name) for names in people for name in names))


def _document(data: bytes) -> Any:
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    bound = MAX_BYTES if is_json else MAX_YAML_BYTES
    if len(data) > bound:
        kind = "JSON" if is_json else "YAML"
        raise BadOwnerDirectory(f"it is longer than the {bound // 2**20} MiB of {kind} that are read")
    try:
        return parsed(decoded(data), Syntax.JSON if is_json else Syntax.YAML).value
    except UnfitText as error:
        where = f"line {error.line}: " if error.line is not None else ""
        raise BadOwnerDirectory(f"{where}{error.message}") from None


def _time(given: Any) -> datetime:
    """YAML has made a datetime of it, unless it was quoted."""
    try:
        if isinstance(given, datetime) and given.tzinfo is not None:
            return given.astimezone(UTC)
        if isinstance(given, str) and _STAMP.fullmatch(given):
            return datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadOwnerDirectory("asOf: write when the list was made, as in 2026-11-26T02:00:00Z")


def _users(body: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    """Our own form: `users`, each with `name` and, where false, `active`."""
    for at, user in _entries(body, "users"):
        name = _text(user.get("name"), f"{at}.name", "the user's name as spec.owner.user has it")
        if _is_active(user, at):
            yield (name,)


def _resources(body: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    """A SCIM list response: `userName` and every e-mail address name a person."""
    schemas = body.get("schemas")
    if not isinstance(schemas, list) or LIST_RESPONSE not in schemas:
        raise BadOwnerDirectory(f"schemas: it has to have {LIST_RESPONSE} in it")
    found = list(_entries(body, "Resources"))
    total = body.get("totalResults")
    if isinstance(total, bool) or not isinstance(total, int) or total != len(found):
        raise BadOwnerDirectory(
            f"totalResults: it has to be the number of Resources, here {len(found)}; where the identity provider "
            "answers in pages, put all pages into one list"
        )
    for at, user in found:
        name = _text(user.get("userName"), f"{at}.userName", "the user's name")
        emails = tuple(_emails(user.get("emails"), at))
        if _is_active(user, at):
            yield (name, *emails)


def _entries(body: Mapping[str, Any], field: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    listed = body.get(field)
    if not isinstance(listed, list):
        raise BadOwnerDirectory(f"{field}: write a list of all users")
    for number, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise BadOwnerDirectory(f"{field}[{number}]: write an object for each user")
        yield f"{field}[{number}]", entry


def _emails(given: Any, at: str) -> Iterable[str]:
    if given is None:
        return
    if not isinstance(given, list):
        raise BadOwnerDirectory(f"{at}.emails: write a list of objects with a value")
    for number, email in enumerate(given):
        value = email.get("value") if isinstance(email, dict) else None
        yield _text(value, f"{at}.emails[{number}].value", "an e-mail address")


def _is_active(user: Mapping[str, Any], at: str) -> bool:
    """Who is listed is active, unless it says otherwise."""
    active = user.get("active", True)
    if not isinstance(active, bool):
        raise BadOwnerDirectory(f"{at}.active: write true or false, without quotation marks")
    return active


def _text(given: Any, at: str, what: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise BadOwnerDirectory(f"{at}: write {what}, as text")
    return given.strip()
