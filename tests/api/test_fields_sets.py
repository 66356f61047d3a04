"""What a large fleet takes in memory is mostly what its models hold besides their fields."""

from leasehold.api.connection import MCPConnection
from objects import a_connection


def read(name: str) -> MCPConnection:
    return MCPConnection.model_validate(a_connection(name).to_wire())


def test_objects_that_were_given_the_same_fields_share_the_set_of_their_names() -> None:
    one, other = read("one"), read("other")
    assert one.spec.model_fields_set is other.spec.model_fields_set
    assert one.metadata.model_fields_set is other.metadata.model_fields_set


def test_a_change_of_a_copy_changes_the_fields_of_nobody_else() -> None:
    one, other = read("one"), read("other")
    assert "secret" not in one.status.model_fields_set
    copy = one.status.model_copy(update={"secret": None})
    assert "secret" in copy.model_fields_set
    assert "secret" not in one.status.model_fields_set
    assert "secret" not in other.status.model_fields_set
