"""What a Secret holds and says about itself."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.connection import MCPConnection
from leasehold.api.names import SecretAnnotation, SecretLabel
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.sealed import Sealed
from leasehold.core.secret_content import (
    data_digest,
    governance_annotations,
    secret_annotations,
    secret_content,
    secret_labels,
)
from leasehold.core.secret_keys import as_secret_key, is_secret_key
from leasehold.core.templates import MAX_DATA_BYTES
from objects import NOON, a_connection, a_profile, an_entry

FIELDS = {"username": "v-orders", "password": "hunter2"}


def data_of(connection: MCPConnection, fields: Mapping[str, str] | None = None) -> Mapping[str, str]:
    content = secret_content(connection, a_profile(), Sealed(FIELDS if fields is None else fields), {})
    return content.data.reveal()


def test_a_secret_holds_the_raw_fields_and_the_rendered_templates() -> None:
    connection = a_connection(templates={"dsn": "postgres://{{ username }}:{{ password }}@db"})
    assert data_of(connection) == {**FIELDS, "dsn": "postgres://v-orders:hunter2@db"}


def test_a_template_replaces_the_field_of_its_key() -> None:
    assert data_of(a_connection(templates={"password": "no"})) == {"username": "v-orders", "password": "no"}


def test_a_template_knows_the_server_and_vault_cannot_say_otherwise() -> None:
    connection = a_connection(templates={"mcp.json": '{"url": {{ server_url|tojson }}}'})
    data = data_of(connection, {"server_url": "https://elsewhere.example"})
    assert data["mcp.json"] == '{"url": "https://orders-mcp.tools.svc/mcp"}'
    assert data["server_url"] == "https://elsewhere.example"


def test_a_field_whose_name_is_no_identifier_is_reached_with_underscores() -> None:
    connection = a_connection(templates={"t": "{{ private_key }} {{ _2fa }}"})
    assert data_of(connection, {"private-key": "K", "2fa": "F"})["t"] == "K F"


def test_a_spelling_that_two_fields_share_belongs_to_neither() -> None:
    with pytest.raises(NeedsPerson, match="uses the name 'a_b'"):
        data_of(a_connection(templates={"t": "{{ a_b }}"}), {"a-b": "1", "a.b": "2"})


def test_an_exact_name_wins_over_a_spelling() -> None:
    assert data_of(a_connection(templates={"t": "{{ a_b }}"}), {"a-b": "1", "a_b": "2"})["t"] == "2"


def test_a_field_name_that_no_secret_can_have_is_written_with_underscores() -> None:
    assert data_of(a_connection(), {"issuing ca/1": "x"}) == {"issuing_ca_1": "x"}


def test_two_fields_that_would_share_a_key_are_refused() -> None:
    with pytest.raises(NeedsPerson) as fault:
        data_of(a_connection(), {"a b": "1", "a/b": "2"})
    assert fault.value.reason is Reason.DOES_NOT_FIT_TYPE


def test_a_credential_that_is_no_text_is_refused_without_saying_it() -> None:
    with pytest.raises(NeedsPerson) as fault:
        data_of(a_connection(), {"password": "hunter2\ud800"})
    assert fault.value.reason is Reason.DOES_NOT_FIT_TYPE
    assert "hunter2" not in fault.value.message


def test_a_credential_larger_than_a_secret_is_refused_as_the_credentials_fault() -> None:
    with pytest.raises(NeedsPerson) as fault:
        data_of(a_connection(), {"big": "x" * (MAX_DATA_BYTES + 1)})
    assert fault.value.reason is Reason.DOES_NOT_FIT_TYPE


def test_fields_and_templates_share_the_bound() -> None:
    connection = a_connection(templates={"copy": "{{ big }}"})
    with pytest.raises(NeedsPerson) as fault:
        data_of(connection, {"big": "x" * (MAX_DATA_BYTES * 2 // 3)})
    assert fault.value.reason is Reason.INVALID_SPEC


def test_without_an_output_there_is_no_secret() -> None:
    with pytest.raises(NeedsPerson, match=r"spec\.output is missing"):
        data_of(a_connection(spec={"output": None}))


def test_the_content_names_its_secret_its_owner_and_nothing_readable() -> None:
    connection = a_connection()
    content = secret_content(connection, a_profile(), Sealed(FIELDS), {"a": "b"})
    assert (content.namespace, content.name) == ("support", "support-bot-orders")
    assert content.owner is connection
    assert content.annotations == {"a": "b"}
    assert "hunter2" not in repr(content)


def test_labels_of_a_git_tool_do_not_reach_the_secret() -> None:
    connection = a_connection(labels={"app.kubernetes.io/instance": "argo-app"})
    assert secret_labels(connection) == {
        SecretLabel.MANAGED_BY: "leasehold",
        SecretLabel.CONNECTION_UID: connection.metadata.uid,
    }


def test_annotations_say_who_answers_and_which_generation_it_is() -> None:
    entry = an_entry(4, issued_time=NOON, expiry_time=NOON + timedelta(hours=1))
    said = secret_annotations(a_connection(), lease_end_time=NOON + timedelta(days=90), entry=entry)
    assert said == {
        SecretAnnotation.CONNECTION: "support-bot-orders",
        SecretAnnotation.PROFILE: "orders-read",
        SecretAnnotation.OWNER: "alice@example.com",
        SecretAnnotation.DEPUTY: "bob@example.com",
        SecretAnnotation.TEAM: "support-platform",
        SecretAnnotation.PURPOSE: "triage incoming tickets",
        SecretAnnotation.TICKET: "SUP-812",
        SecretAnnotation.LEASE_END_TIME: "2027-02-18T12:00:00Z",
        SecretAnnotation.GENERATION: "4",
        SecretAnnotation.ACCESSOR: "accessor-4",
        SecretAnnotation.LEASE_ID: "database/creds/orders-read/4",
        SecretAnnotation.ISSUED_TIME: "2026-11-20T12:00:00Z",
        SecretAnnotation.CREDENTIAL_EXPIRY_TIME: "2026-11-20T13:00:00Z",
    }


def test_words_of_people_are_cut_but_what_decisions_are_made_from_is_not() -> None:
    connection = a_connection(spec={"purpose": {"summary": "why\n" * 128}})
    entry = an_entry(lease_id="l" * 1024, accessor="a" * 256)
    said = secret_annotations(connection, lease_end_time=None, entry=entry)
    assert len(said[SecretAnnotation.PURPOSE]) <= 256
    assert said[SecretAnnotation.PURPOSE].startswith("why why")
    assert said[SecretAnnotation.PURPOSE].endswith("why…")
    assert said[SecretAnnotation.LEASE_ID] == "l" * 1024
    assert said[SecretAnnotation.ACCESSOR] == "a" * 256


def test_a_deputy_who_left_is_taken_off_the_secret() -> None:
    alone = a_connection(spec={"owner": {"user": "alice@example.com", "team": "t"}})
    assert governance_annotations(alone, None)[SecretAnnotation.DEPUTY] is None
    assert SecretAnnotation.DEPUTY not in secret_annotations(alone, lease_end_time=NOON, entry=an_entry())


def test_equal_data_in_two_secrets_has_two_digests() -> None:
    assert data_digest("uid-1", Sealed(FIELDS)) != data_digest("uid-2", Sealed(FIELDS))


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert data_digest("u", Sealed({"a": "1", "b": "2"})) == data_digest("u", Sealed({"b": "2", "a": "1"}))


def test_moving_a_character_between_uid_key_and_value_changes_the_digest() -> None:
    alike = [("ua", {"b": "c"}), ("u", {"ab": "c"}), ("u", {"a": "bc"}), ("u", {"a": "b", "c": ""})]
    digests = sorted(data_digest(uid, Sealed(data)) for uid, data in alike)
    assert all(one != other for one, other in pairwise(digests))


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_digests_are_equal_exactly_when_the_data_is(one: dict[str, str], other: dict[str, str]) -> None:
    assert (data_digest("u", Sealed(one)) == data_digest("u", Sealed(other))) == (one == other)


@given(st.one_of(st.text(alphabet=st.characters()), st.text(alphabet="./ a", max_size=5)))
def test_every_field_name_becomes_a_key_that_a_secret_can_have(field: str) -> None:
    key = as_secret_key(field)
    assert is_secret_key(key)
    assert key == field or not is_secret_key(field)
