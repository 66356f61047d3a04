"""A claim becomes a credential that works, follows its connection, and ends with it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fakes.vault_world import DataAt, FakeRole, LeasedAt, TokenAt
from fakes.world import ACCOUNT, CHILD, JWT_SECONDS, LEASED, NAMESPACE, OVERLAP_SECONDS, RECIPES, World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import FINALIZER, SecretAnnotation
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.facts import SecretContent
from leasehold.core.faults import Conflict, NeedsPerson, TryLater
from leasehold.core.sealed import Sealed
from leasehold.core.secret_content import secret_labels
from leasehold.engine.work import REAPPLICATIONS
from virtual_time import in_virtual_time, passing

CURRENT, RETIRING = EntryState.CURRENT, EntryState.RETIRING


async def claimed(world: World, **settings: Any) -> MCPConnection:
    """A connection that works, and the engine that serves it."""
    await world.start(**settings)
    connection = world.claim()
    await passing(5)
    assert world.ready(connection) == "Active"
    return connection


def stalled(world: World, connection: MCPConnection) -> bool:
    conditions = world.find(connection).status.conditions
    return any(each.type == "Stalled" and each.status == "True" for each in conditions)


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_a_claim_becomes_a_credential_that_works(kind: str) -> None:
    world = World(kind)
    connection = await claimed(world)
    assert world.secret_works()
    assert world.states(connection) == [(1, CURRENT)]
    assert FINALIZER in world.find(connection).metadata.finalizers
    assert world.audited() == [("mint", "intent", "Started"), ("mint", "result", "Succeeded")]


@pytest.mark.parametrize("kind", ["Static", "Expiring"])
@in_virtual_time
async def test_no_login_stays_above_what_it_could_not_end(kind: str) -> None:
    world = World(kind)
    await claimed(world)
    assert world.tokens() == []


@pytest.mark.parametrize("kind", ["Static", "Expiring"])
@in_virtual_time
async def test_a_login_that_could_not_be_given_back_is_given_back_soon(kind: str) -> None:
    world = World(kind)
    world.vault.fail("revoke_accessor", TryLater(Reason.UNREACHABLE, "it is away"), times=2)
    connection = await claimed(world)
    assert len(world.tokens()) == 1
    await passing(60)
    assert world.tokens() == []
    assert world.states(connection) == [(1, CURRENT)]
    assert (world.ready(connection), world.vault.mints) == ("Active", 1)


@in_virtual_time
async def test_a_credential_is_replaced_before_it_ends_and_the_old_one_works_for_the_overlap() -> None:
    world = World()
    connection = await claimed(world)
    while world.find(connection).status.last_generation == 1:
        assert world.secret_works()
        await passing(10)
        assert world.now < world.clock.started + timedelta(seconds=3600)
    assert world.states(connection) == [(1, RETIRING), (2, CURRENT)]
    assert len(world.leases()) == 2
    await passing(OVERLAP_SECONDS)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == 1
    assert world.secret_works()


@in_virtual_time
async def test_a_credential_is_replaced_again_and_again() -> None:
    world = World()
    connection = await claimed(world)
    for _ in range(40):
        await passing(300)
        assert world.secret_works()
        assert len(world.leases()) <= 2
    assert world.find(connection).status.last_generation > 4
    assert world.vault.mints == world.find(connection).status.last_generation


@in_virtual_time
async def test_a_changed_recipe_replaces_the_credential_at_once() -> None:
    world = World()
    connection = await claimed(world)
    recipe = world.profile.to_wire()["spec"]["credential"]
    world.people.change(world.profile, credential={**recipe, "ttlSeconds": 1800})
    await passing(2)
    assert world.states(connection) == [(1, RETIRING), (2, CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_changed_owner_reaches_the_secret_without_a_mint() -> None:
    world = World()
    connection = await claimed(world)
    world.people.change(connection, owner={"user": "carol@example.com", "team": "support-platform"})
    await passing(2)
    secret = world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    assert secret.annotations[SecretAnnotation.OWNER] == "carol@example.com"
    assert SecretAnnotation.DEPUTY not in secret.annotations
    assert world.vault.mints == 1
    assert world.secret_works()


@in_virtual_time
async def test_a_label_edit_does_not_mint() -> None:
    world = World()
    connection = await claimed(world)
    world.people.edit(connection)
    await passing(2)
    assert world.vault.mints == 1


@pytest.mark.parametrize("kind", ["Lease", "Token", "login Token", "Static"])
@in_virtual_time
async def test_a_deleted_connection_leaves_nothing(kind: str) -> None:
    world = World(kind)
    connection = await claimed(world)
    world.people.delete(connection)
    await passing(5)
    assert world.people.find(connection) is None
    assert not world.cluster.secrets
    assert not world.leases()
    assert not world.tokens()


@in_virtual_time
async def test_a_connection_stays_until_what_only_runs_out_has_run_out() -> None:
    world = World("Expiring")
    connection = await claimed(world)
    world.people.delete(connection)
    await passing(JWT_SECONDS - 10)
    assert world.states(connection) == [(1, EntryState.REVOKING)]
    assert not world.cluster.secrets
    await passing(20)
    assert world.people.find(connection) is None


@in_virtual_time
async def test_a_suspension_ends_the_credential_and_its_end_gives_a_fresh_one() -> None:
    world = World()
    connection = await claimed(world)
    world.people.change(connection, suspend=True)
    await passing(2)
    assert world.ready(connection) == "Suspended"
    assert not world.leases()
    assert not world.cluster.secrets
    world.people.change(connection, suspend=False)
    await passing(2)
    assert world.ready(connection) == "Active"
    assert world.states(connection) == [(2, CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_lease_that_nobody_renews_ends() -> None:
    world = World()
    await world.start()
    connection = world.claim(leaseDurationSeconds=600)
    await passing(590)
    assert world.ready(connection) == "ReviewDue"
    assert world.secret_works()
    await passing(20)
    assert world.ready(connection) == "Expired"
    assert not world.leases()
    assert not world.cluster.secrets


@in_virtual_time
async def test_somebody_elses_secret_is_neither_replaced_nor_minted_for() -> None:
    world = World()
    world.people.create_secret(NAMESPACE, "orders", {"theirs": "untouched"})
    await world.start()
    connection = world.claim()
    await passing(30)
    secret = world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    assert secret.data == {"theirs": "untouched"}
    assert world.vault.mints == 0
    assert world.ready(connection) == "SecretConflict"
    assert stalled(world, connection)


@in_virtual_time
async def test_a_secret_that_appears_during_the_mint_is_not_replaced() -> None:
    world = World()
    gate = world.vault.hold("mint")
    await world.start()
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    world.people.create_secret(NAMESPACE, "orders", {"theirs": "untouched"})
    gate.set()
    await passing(5)
    secret = world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    assert secret.data == {"theirs": "untouched"}
    assert world.leases() == []
    assert world.states(connection) == []


@in_virtual_time
async def test_of_two_that_name_one_secret_one_works_and_the_other_takes_over() -> None:
    world = World()
    await world.start()
    first, second = world.claim("one", output={"secretName": "orders"}), None
    await passing(2)
    other = world.profile.to_wire() | {"metadata": {"name": "orders-too"}}
    world.people.create(MCPServerProfile.model_validate(other))
    second = world.claim("two", profile="orders-too", output={"secretName": "orders"})
    await passing(5)
    assert (world.ready(first), world.ready(second)) == ("Active", "SecretConflict")
    assert world.vault.mints == 1
    world.people.delete(first)
    await passing(30)
    assert world.ready(second) == "Active"
    assert world.secret_works()


@in_virtual_time
async def test_a_missing_service_account_is_said_and_waited_for() -> None:
    world = World()
    world.people.delete_service_account(NAMESPACE, ACCOUNT)
    await world.start()
    connection = world.claim()
    await passing(5)
    assert world.ready(connection) == "ServiceAccountGone"
    assert world.vault.mints == 0
    world.people.create_service_account(NAMESPACE, ACCOUNT)
    await passing(300)
    assert world.ready(connection) == "Active"


@in_virtual_time
async def test_a_deleted_service_account_ends_the_credential() -> None:
    world = World()
    connection = await claimed(world, standing_check_seconds=60)
    world.people.delete_service_account(NAMESPACE, ACCOUNT)
    await passing(61)
    assert world.ready(connection) == "ServiceAccountGone"
    assert not world.leases()
    assert not world.cluster.secrets


@in_virtual_time
async def test_a_namespace_that_is_not_allowed_gets_nothing() -> None:
    world = World()
    world.people.change(world.store, allowedNamespaces={"matchLabels": {"mcp": "true"}})
    await world.start()
    connection = world.claim()
    await passing(5)
    assert world.ready(connection) == "NamespaceNotAllowed"
    assert world.vault.mints == 0


@in_virtual_time
async def test_a_login_that_vault_refuses_is_told_and_works_when_it_is_mended() -> None:
    world = World()
    role = world.vault.roles.pop("mcp-orders")
    await world.start()
    connection = world.claim()
    await passing(5)
    assert world.ready(connection) == "StoreUnavailable"
    assert stalled(world, connection)
    assert world.states(connection) == []
    world.vault.roles["mcp-orders"] = role
    await passing(300)
    assert world.ready(connection) == "Active"
    assert not stalled(world, connection)


@in_virtual_time
async def test_a_login_that_would_die_during_the_overlap_is_not_minted_under() -> None:
    world = World()
    world.vault.roles["mcp-orders"] = FakeRole(ttl_seconds=OVERLAP_SECONDS)
    await world.start()
    connection = world.claim()
    await passing(1)
    assert world.ready(connection) == "InvalidSpec"
    assert world.vault.mints == 0
    assert world.tokens() == []


@in_virtual_time
async def test_a_login_whose_ledger_entry_could_not_be_written_is_given_back() -> None:
    for trouble in ("which Vault", "conflicts"):
        world = World()
        await world.start()
        await passing(1)
        if trouble == "conflicts":
            world.cluster.fail("put_status", Conflict("changed"), times=REAPPLICATIONS)
        else:
            world.vault.fail("cluster_id", TryLater(Reason.UNREACHABLE, "cut off"))
        connection = world.claim()
        await passing(0.5)
        assert world.tokens() == []
        await passing(30)
        assert world.ready(connection) == "Active"
        assert len(world.tokens()) == 1


@pytest.mark.parametrize(
    ("kind", "path", "engine"),
    [
        ("Token", CHILD, TokenAt(orphan=True)),
        ("Token", CHILD, LeasedAt()),
        ("Lease", LEASED, TokenAt(orphan=True)),
        ("Lease", LEASED, DataAt({"key": "value"})),
        ("Lease", LEASED, LeasedAt(data={"bad": object()})),
        ("Static", "kv/orders", LeasedAt()),
        ("Expiring", "identity/oidc", TokenAt(orphan=True)),
        ("Expiring", "identity/oidc", DataAt({"token": "no end"})),
    ],
)
@in_virtual_time
async def test_an_answer_that_does_not_fit_its_type_is_revoked_and_given_to_nobody(
    kind: str, path: str, engine: TokenAt | LeasedAt | DataAt
) -> None:
    world = World(kind)
    world.vault.engines[path] = engine
    await world.start()
    connection = world.claim()
    await passing(0.9)
    assert world.vault.mints == 1
    assert world.leases() == []
    assert world.tokens() == []
    assert not world.cluster.secrets
    assert world.states(connection) == []
    assert world.ready(connection) == "InvalidSpec"


@in_virtual_time
async def test_an_orphan_that_could_not_be_revoked_at_once_stays_in_the_ledger_until_it_is() -> None:
    world = World("Token")
    world.vault.engines[CHILD] = TokenAt(orphan=True)
    world.vault.fail("revoke_accessor", TryLater(Reason.UNREACHABLE, "cut off"), times=2)
    await world.start()
    connection = world.claim()
    await passing(0.5)
    assert world.states(connection) == [(1, EntryState.REVOKING)]
    world.vault.roles.clear()
    await passing(30)
    assert world.tokens() == []
    assert world.states(connection) == []


@in_virtual_time
async def test_a_mint_that_vault_refuses_leaves_neither_entry_nor_login() -> None:
    world = World()
    world.vault.roles["mcp-orders"] = FakeRole(paths=())
    await world.start()
    connection = world.claim()
    await passing(0.5)
    assert world.find(connection).status.last_generation == 1
    assert world.states(connection) == []
    assert world.tokens() == []


@in_virtual_time
async def test_an_expiry_counts_from_before_the_credential_was_asked_for() -> None:
    world = World()
    gate = world.vault.hold("mint")
    await world.start()
    connection, asked = world.claim(), world.now
    await passing(10)
    gate.set()
    await passing(1)
    (entry,) = world.find(connection).status.ledger
    assert entry.expiry_time == asked + timedelta(seconds=3600)
    assert entry.issued_time == asked


@in_virtual_time
async def test_a_newer_generation_in_the_secret_is_not_overwritten_by_an_older_one() -> None:
    """Another process of this operator may have written it."""
    world = World()
    gate = world.vault.hold("mint")
    await world.start()
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    held = world.find(connection)
    newer = {SecretAnnotation.GENERATION: "9"}
    data: Sealed[Mapping[str, str]] = Sealed({"username": "newer"})
    await world.cluster.create_secret(
        SecretContent(NAMESPACE, "orders", secret_labels(held), newer, held, data)
    )
    gate.set()
    await passing(0.5)
    secret = world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    assert secret.data == {"username": "newer"}
    assert world.leases() == []
    await passing(30)
    assert world.states(connection) == [(10, CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_template_that_the_credential_does_not_fill_leaves_nothing() -> None:
    world = World()
    await world.start()
    connection = world.claim(output={"secretName": "orders", "templates": {"x": "{{ api_key }}"}})
    await passing(1)
    assert world.ready(connection) == "InvalidSpec"
    assert world.leases() == []
    assert not world.cluster.secrets


@pytest.mark.parametrize(
    "fault",
    [NeedsPerson(Reason.REFUSED, "a policy refuses it"), TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away")],
    ids=["refused", "unavailable"],
)
@in_virtual_time
async def test_a_credential_that_cannot_be_published_is_taken_back(fault: Exception) -> None:
    world = World()
    world.cluster.fail("create_secret", fault)
    await world.start()
    connection = world.claim()
    await passing(0.9)
    assert world.vault.mints == 1
    assert world.leases() == []
    assert world.states(connection) == []
    await passing(30)
    assert world.states(connection) == [(2, CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_credential_whose_backend_keeps_it_is_in_the_ledger_until_it_is_gone() -> None:
    world = World()
    connection = await claimed(world)
    world.vault.stubborn.add(LEASED)
    world.people.delete(connection)
    await passing(600)
    assert world.states(connection) == [(1, EntryState.IRREVOCABLE)]
    assert not world.cluster.secrets
    world.vault.stubborn.clear()
    await passing(301)
    assert world.people.find(connection) is None
    assert world.leases() == []


@in_virtual_time
async def test_a_vault_that_is_away_costs_nobody_a_valid_credential() -> None:
    world = World()
    connection = await claimed(world)
    await passing(1700)
    world.vault.reachable = False
    await passing(1000)
    assert world.ready(connection) == "StoreUnavailable"
    assert world.people.secret(NAMESPACE, "orders") is not None
    world.vault.reachable = True
    await passing(301)
    assert world.ready(connection) == "Active"
    assert world.secret_works()


@in_virtual_time
async def test_a_vault_that_is_replaced_during_a_login_is_never_taken_for_the_one_that_proves_an_end() -> (
    None
):
    world = World()
    await world.start()
    await passing(1)
    gate = world.vault.hold("login")
    connection = world.claim()
    await world.vault.at_gate["login"].wait()
    world.vault.cluster = "another-vault"
    gate.set()
    await passing(5)
    assert world.ready(connection) == "Active"
    world.people.delete(connection)
    await passing(60)
    assert world.states(connection) == [(1, EntryState.REVOKING)]
