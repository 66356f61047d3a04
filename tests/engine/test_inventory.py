"""What the watches told is never replaced by something older, and everything finds what depends on it."""

from typing import Any

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.engine.inventory import LATE_EVENTS, Inventory, version_of
from objects import a_connection, a_profile, a_store, an_entry


def connection(version: int, name: str = "orders", **fields: Any) -> MCPConnection:
    return a_connection(name, metadata={"resourceVersion": str(version)}, **fields)


def taken(inventory: Inventory, resource: MCPConnection) -> MCPConnection | None:
    return inventory.take(MCPConnection, resource.to_wire())


def test_an_older_or_equal_version_is_dropped() -> None:
    inventory = Inventory()
    assert taken(inventory, connection(10)) is not None
    assert taken(inventory, connection(10)) is None
    assert taken(inventory, connection(9)) is None
    assert taken(inventory, connection(11)) is not None
    held = inventory.connections.get("support/orders")
    assert held is not None
    assert held.metadata.resource_version == "11"


def test_versions_compare_as_numbers() -> None:
    inventory = Inventory()
    taken(inventory, connection(9))
    assert taken(inventory, connection(10)) is not None
    assert version_of("not a number") == 0


def test_what_was_written_is_newer_than_its_echo() -> None:
    inventory = Inventory()
    taken(inventory, connection(10))
    assert inventory.put(connection(12))
    assert taken(inventory, connection(12)) is None


def test_a_deleted_object_does_not_come_back_by_a_late_event() -> None:
    inventory = Inventory()
    taken(inventory, connection(10))
    assert inventory.remove(MCPConnection, "support/orders", 12) is not None
    assert taken(inventory, connection(11)) is None
    assert taken(inventory, connection(12)) is None
    assert len(inventory.connections) == 0
    assert taken(inventory, connection(13)) is not None


def test_only_so_many_deletions_are_remembered() -> None:
    inventory = Inventory()
    for number in range(LATE_EVENTS + 1):
        taken(inventory, connection(10, f"orders-{number}"))
        inventory.remove(MCPConnection, f"support/orders-{number}", 12)
    assert taken(inventory, connection(11, f"orders-{LATE_EVENTS}")) is None
    assert taken(inventory, connection(11, "orders-1")) is None
    assert taken(inventory, connection(11, "orders-0")) is not None, "forgotten, for so much came after it"


def test_a_late_deletion_does_not_remove_a_successor() -> None:
    inventory = Inventory()
    taken(inventory, connection(20))
    assert inventory.remove(MCPConnection, "support/orders", 12) is None
    assert len(inventory.connections) == 1


def test_forgetting_what_was_never_known_is_nothing() -> None:
    assert Inventory().remove(MCPConnection, "support/orders", 12) is None


def test_what_cannot_be_read_is_remembered_with_its_fault_and_spoils_nothing() -> None:
    inventory = Inventory()
    broken = connection(11).to_wire()
    broken["spec"]["leaseDurationSeconds"] = "for ever"
    taken(inventory, connection(10))
    taken(inventory, connection(10, name="other"))
    assert inventory.take(MCPConnection, broken) is None
    assert list(inventory.connections.unreadable) == ["support/orders"]
    assert "leaseDurationSeconds" in inventory.connections.unreadable["support/orders"]
    assert inventory.connections.keys() == {"support/orders", "support/other"}
    taken(inventory, connection(12))
    assert not inventory.connections.unreadable


def test_the_fault_of_an_unreadable_object_does_not_quote_it() -> None:
    inventory = Inventory()
    body = connection(11).to_wire()
    body["spec"]["agent"] = {"name": "hunter2-the-password!", "serviceAccountName": "x"}
    inventory.take(MCPConnection, body)
    assert "hunter2" not in str(inventory.connections.unreadable)


def test_rivals_are_others_in_the_namespace_that_name_the_same_secret() -> None:
    inventory = Inventory()
    output = {"output": {"secretName": "shared"}}
    one = connection(1, "one", spec=output)
    for each in (
        one,
        connection(1, "two", spec=output),
        connection(1, "elsewhere", spec=output, namespace="sales"),
        connection(1, "other"),
        connection(1, "records", spec={"output": None}),
    ):
        inventory.put(each)
    assert [rival.metadata.name for rival in inventory.rivals(one)] == ["two"]
    inventory.remove(MCPConnection, "support/two", 2)
    assert inventory.rivals(one) == ()
    assert inventory.rivals(connection(1, "records", spec={"output": None})) == ()


def test_profiles_and_stores_find_their_users() -> None:
    inventory = Inventory()
    inventory.put(a_profile())
    store = a_store()
    inventory.put(store)
    inventory.put(connection(1, "reader"))
    inventory.put(connection(1, "stranger", spec={"profile": "tickets"}))
    former = {"ledger": [an_entry().to_wire()], "lastGeneration": 1}
    inventory.put(connection(1, "former", spec={"profile": "tickets"}, status=former))
    assert [each.metadata.name for each in inventory.users_of_profile("orders-read")] == ["reader"]
    assert [each.metadata.name for each in inventory.users_of_store(store)] == ["reader", "former"]
    assert [each.metadata.name for each in inventory.ledgers_naming(store)] == ["former"]
    assert inventory.store_by_uid("store-uid") == store
    assert inventory.store_by_uid("another") is None


def test_every_kind_has_its_shelf() -> None:
    inventory = Inventory()
    assert inventory.take(MCPServerProfile, a_profile().to_wire()) is not None
    assert inventory.take(MCPCredentialStore, a_store().to_wire()) is not None
    assert [each.key for each in inventory.profiles] == ["orders-read"]
    assert [each.key for each in inventory.stores] == ["default"]
