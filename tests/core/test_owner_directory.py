"""What identity jobs write: our own form, SCIM list responses as they are answered, and what cannot be believed."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.core.owner_directory import (
    LIST_RESPONSE,
    MAX_YAML_BYTES,
    BadOwnerDirectory,
    read_directory,
)

AS_OF = "2026-11-26T02:00:00Z"
MADE = datetime(2026, 11, 26, 2, tzinfo=UTC)
OWN = """\
asOf: 2026-11-26T03:00:00+01:00
users:
  - name: Alice@example.com
    groups: [support]
  - name: bob@example.com
    active: false
"""


def a_resource(name: str = "ALICE", **fields: Any) -> dict[str, Any]:
    """A user as an identity provider answers it, with much that is not looked at."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "2819c223",
        "userName": name,
        "name": {"formatted": "Alice Example"},
        "emails": [{"value": "Alice@example.com", "primary": True}, {"value": "a.old@example.com"}],
        "groups": [{"value": "e9e30dba", "display": "support"}],
        "active": True,
        "meta": {"resourceType": "User"},
        **fields,
    }


def scim(*resources: Any, **fields: Any) -> bytes:
    body = {
        "schemas": [LIST_RESPONSE],
        "totalResults": len(resources),
        "startIndex": 1,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
        "asOf": AS_OF,
        **fields,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def test_our_own_form_is_read_in_yaml_and_json() -> None:
    directory = read_directory(OWN.encode())
    assert directory.as_of == MADE
    assert directory.active == {"alice@example.com"}
    again = {"asOf": AS_OF, "users": [{"name": "Alice@example.com"}, {"name": "bob", "active": False}]}
    assert read_directory(json.dumps(again, indent=1).encode()) == directory


def test_a_scim_list_response_is_read_by_user_name_and_every_address() -> None:
    gone = a_resource("bob", active=False, emails=[{"value": "bob@example.com"}])
    directory = read_directory(scim(a_resource(), gone))
    assert directory.active == {"alice", "alice@example.com", "a.old@example.com"}


def test_scim_is_read_from_yaml_too_and_without_addresses_and_status() -> None:
    text = (
        f'schemas: ["{LIST_RESPONSE}"]\ntotalResults: 1\nasOf: "{AS_OF}"\nResources: [{{userName: alice}}]\n'
    )
    assert read_directory(text.encode()).active == {"alice"}


def test_of_two_records_of_one_name_the_active_one_counts() -> None:
    assert read_directory(scim(a_resource(active=False), a_resource("alice"))).active >= {"alice"}


def test_an_empty_list_is_a_directory_and_not_for_this_to_judge() -> None:
    assert read_directory(scim()).active == frozenset()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "write an object with asOf and users"),
        (b"- alice\n", "write an object with asOf and users"),
        (b"asOf: x\n  y: [", "line 2"),
        (b'{"asOf": "2026', "line 1: column"),
        (b"users: []\n", "asOf: write when the list was made"),
        (b"asOf: 2026-11-26\nusers: []\n", "asOf: write when the list was made"),
        (b"asOf: 2026-11-26T02:00:00\nusers: []\n", "asOf: write when the list was made"),
        (b"asOf: 0001-01-01T00:00:00+14:00\nusers: []\n", "asOf: write when the list was made"),
        (b"asOf: '2026-13-26T02:00:00Z'\nusers: []\n", "asOf: write when the list was made"),
        (f"asOf: {AS_OF}\n".encode(), "users: write a list of all users"),
        (f"asOf: {AS_OF}\nusers: [alice]\n".encode(), "users[0]: write an object"),
        (f"asOf: {AS_OF}\nusers: [{{name: 7}}]\n".encode(), "users[0].name"),
        (
            f"asOf: {AS_OF}\nusers: [{{name: a, active: 'no'}}]\n".encode(),
            "users[0].active: write true or false",
        ),
        (scim(schemas=["urn:ietf:params:scim:api:messages:2.0:Error"]), "schemas: it has to have"),
        (scim(schemas=None), "schemas: it has to have"),
        (scim(a_resource(), totalResults=300), "put all pages into one list"),
        (scim(a_resource(), totalResults=None), "totalResults"),
        (scim(a_resource(userName="")), "Resources[0].userName"),
        (scim(a_resource(emails="a@b")), "Resources[0].emails: write a list"),
        (scim(a_resource(emails=[{"type": "work"}])), "Resources[0].emails[0].value"),
        (scim(a_resource(active="True")), "Resources[0].active"),
        (scim(asOf=None), "asOf"),
        (b"\xff" + OWN.encode(), "save it as UTF-8"),
        (OWN.encode() + b"#" * MAX_YAML_BYTES, "longer than the 1 MiB of YAML"),
    ],
)
def test_what_leaves_a_doubt_is_refused_with_the_place_and_what_would_be_right(
    data: bytes, says: str
) -> None:
    with pytest.raises(BadOwnerDirectory) as refused:
        read_directory(data)
    assert says in str(refused.value)
    assert "alice" not in str(refused.value).lower()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_anything_but_a_directory_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(BadOwnerDirectory):
        assert read_directory(data).as_of.tzinfo is UTC


@given(st.integers(0, len(scim(a_resource(), a_resource("bob"))) - 1))
def test_a_file_that_was_cut_off_is_never_a_shorter_directory(length: int) -> None:
    with pytest.raises(BadOwnerDirectory):
        read_directory(scim(a_resource(), a_resource("bob"))[:length])
