"""Dead means that the Vault that minted it was asked, and knows neither token nor lease any more."""

import asyncio
from datetime import timedelta

import pytest

from fakes.cluster import FakeCluster
from fakes.people import FakePeople
from fakes.vault import vault_beside
from fakes.vault_world import DataAt, FakeRole, LeasedAt, TokenAt
from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import store_audience
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.facts import Login, MintAnswer
from leasehold.core.faults import Fault, TryLater
from leasehold.engine.revoke import DEAD, LATELY_SECONDS, Remains, Revoker
from objects import NOON, a_profile, a_store, an_entry
from virtual_time import in_virtual_time, passing

PATHS = {
    "Lease": "database/creds/orders",
    "Token": "auth/token/create/orders",
    "orphan": "auth/token/create/free",
}


class Bench:
    """A Vault with one mint, and the revoker."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        people = FakePeople(self.cluster)
        people.namespace(name="support")
        people.create_service_account("support", "bot")
        self.store = a_store()
        self.vault = vault_beside(self.cluster)
        self.vault.roles["mcp-orders"] = FakeRole()
        self.vault.engines = {
            PATHS["Lease"]: LeasedAt(),
            PATHS["Token"]: TokenAt(),
            PATHS["orphan"]: TokenAt(orphan=True),
            "kv/orders": DataAt({"key": "value"}),
        }
        self.revoker = Revoker(self.vault)

    async def minted(self, kind: str = "Lease", state: EntryState = EntryState.CURRENT) -> LedgerEntry:
        login = await self.log_in()
        answer = await self.mint(login, PATHS[kind])
        return an_entry(
            1,
            state,
            type=CredentialType.LEASE if kind == "Lease" else CredentialType.TOKEN,
            cluster_id=self.vault.cluster,
            accessor=login.accessor,
            lease_id=answer.lease_id,
            token_accessor=answer.auth.accessor if answer.auth else None,
            expiry_time=NOON + timedelta(hours=1),
        )

    async def log_in(self) -> Login:
        audience = store_audience(self.store.metadata.name)
        token = await self.cluster.request_token("support", "bot", audience, 3600)
        return await self.vault.login(self.store, "mcp-orders", token.token)

    async def mint(self, login: Login, path: str) -> MintAnswer:
        recipe = a_profile(path=path).spec.credential
        assert recipe is not None
        return await self.vault.mint(self.store, login.token, recipe)

    async def end(self, entry: LedgerEntry, seconds: float = 0) -> Remains:
        return await self.revoker.end(entry, self.store, NOON + timedelta(seconds=seconds))


def fault_of(remains: Remains) -> Fault:
    assert remains.fault is not None
    return remains.fault


@pytest.mark.parametrize("kind", ["Lease", "Token"])
@in_virtual_time
async def test_what_was_minted_is_dead_when_token_and_lease_are_gone(kind: str) -> None:
    bench = Bench()
    entry = await bench.minted(kind)
    assert await bench.end(entry) == DEAD
    assert not bench.vault.leases
    assert not bench.vault.tokens


@in_virtual_time
async def test_what_was_dead_already_is_dead() -> None:
    bench = Bench()
    entry = await bench.minted()
    await bench.end(entry)
    assert await bench.end(entry) == DEAD


@in_virtual_time
async def test_a_lease_that_outlives_its_token_is_not_dead() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.stubborn.add(PATHS["Lease"])
    remains = await bench.end(entry)
    assert remains.state is EntryState.REVOKING
    assert fault_of(remains).reason is Reason.REVOCATION_PENDING
    assert not bench.vault.tokens


@in_virtual_time
async def test_a_look_up_that_fails_proves_nothing() -> None:
    for method in ("lookup_accessor", "lookup_lease", "cluster_id"):
        bench = Bench()
        entry = await bench.minted()
        bench.vault.fail(method, TryLater(Reason.UNREACHABLE, "cut off"))
        remains = await bench.end(entry)
        assert remains.state is EntryState.REVOKING
        assert fault_of(remains).reason is Reason.UNREACHABLE


@in_virtual_time
async def test_a_revocation_that_never_arrived_is_not_taken_for_one() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.fail("revoke_accessor", TryLater(Reason.SEALED, "Vault is sealed"))
    assert (await bench.end(entry)).state is EntryState.REVOKING
    assert bench.vault.leases


@in_virtual_time
async def test_another_vault_at_the_same_address_proves_nothing() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.cluster = "another-vault"
    bench.vault.tokens.clear()
    bench.vault.leases.clear()
    remains = await bench.end(entry)
    assert fault_of(remains).reason is Reason.UNKNOWN_AT_VAULT
    assert remains.state is EntryState.REVOKING
    assert "2026-11-20T13:00:00Z" in fault_of(remains).message


@in_virtual_time
async def test_what_another_vault_cannot_prove_is_over_when_it_has_run_out() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.cluster = "another-vault"
    assert (await bench.end(entry, seconds=3599)).state is EntryState.REVOKING
    assert await bench.end(entry, seconds=3600) == DEAD


@in_virtual_time
async def test_without_its_store_nothing_is_proven_until_it_has_run_out() -> None:
    bench = Bench()
    entry = await bench.minted()
    remains = await bench.revoker.end(entry, None, NOON)
    assert fault_of(remains).reason is Reason.UNKNOWN_AT_VAULT
    assert await bench.revoker.end(entry, None, NOON + timedelta(hours=1)) == DEAD


@in_virtual_time
async def test_a_vault_that_is_away_proves_nothing_even_after_the_expiry() -> None:
    """It may have been away for as long; what it holds is asked when it is back."""
    bench = Bench()
    entry = await bench.minted()
    bench.vault.reachable = False
    assert (await bench.end(entry, seconds=7200)).state is EntryState.REVOKING


@in_virtual_time
async def test_a_lease_that_stays_is_insisted_on_until_vault_lets_it_go() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.stubborn.add(PATHS["Lease"])
    await bench.end(entry)
    revoking = entry.model_copy(update={"state": EntryState.REVOKING})
    remains = await bench.end(revoking)
    assert remains.state is EntryState.IRREVOCABLE
    assert fault_of(remains).reason is Reason.IRREVOCABLE
    irrevocable = entry.model_copy(update={"state": EntryState.IRREVOCABLE})
    assert (await bench.end(irrevocable)).state is EntryState.IRREVOCABLE
    bench.vault.stubborn.clear()
    assert await bench.end(irrevocable) == DEAD
    assert not bench.vault.leases


@in_virtual_time
async def test_a_living_lease_is_not_forced_before_vault_had_its_own_time() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.stubborn.add(PATHS["Lease"])
    bench.vault.fail("revoke_lease", AssertionError("not yet"))
    assert (await bench.end(entry)).state is EntryState.REVOKING


@in_virtual_time
async def test_what_only_runs_out_is_waited_for() -> None:
    bench = Bench()
    expiry = NOON + timedelta(hours=1)
    entry = an_entry(1, type=CredentialType.EXPIRING, accessor="", lease_id=None, expiry_time=expiry)
    assert await bench.end(entry) == Remains(EntryState.REVOKING)
    assert await bench.end(entry, seconds=3600) == DEAD


@in_virtual_time
async def test_what_never_ends_is_no_longer_ours_to_end() -> None:
    entry = an_entry(1, type=CredentialType.STATIC, accessor="", lease_id=None, expiry_time=None)
    assert await Bench().end(entry) == DEAD


@in_virtual_time
async def test_a_login_that_was_kept_above_a_static_credential_is_revoked() -> None:
    bench = Bench()
    login = await bench.log_in()
    entry = an_entry(
        1,
        type=CredentialType.STATIC,
        accessor=login.accessor,
        cluster_id=bench.vault.cluster,
        lease_id=None,
        expiry_time=None,
    )
    assert await bench.end(entry) == DEAD
    assert not bench.vault.tokens


@in_virtual_time
async def test_a_mint_that_is_taken_back_leaves_nothing() -> None:
    for kind in PATHS:
        bench = Bench()
        entry = await bench.minted(kind)
        await bench.revoker.take_back(bench.store, entry.accessor, entry.lease_id, entry.token_accessor)
        assert not bench.vault.leases
        assert not bench.vault.tokens


@in_virtual_time
async def test_a_lease_that_cannot_be_taken_back_loses_at_least_its_token() -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.stubborn.add(PATHS["Lease"])
    with pytest.raises(TryLater):
        await bench.revoker.take_back(bench.store, entry.accessor, entry.lease_id, entry.token_accessor)
    assert not bench.vault.tokens


@pytest.mark.parametrize("method", ["lookup_accessor", "lookup_lease"])
@in_virtual_time
async def test_what_is_taken_back_is_looked_up_too(method: str) -> None:
    bench = Bench()
    entry = await bench.minted()
    bench.vault.fail(method, TryLater(Reason.UNREACHABLE, "cut off"))
    with pytest.raises(TryLater):
        await bench.revoker.take_back(bench.store, entry.accessor, entry.lease_id, entry.token_accessor)


@in_virtual_time
async def test_a_lease_that_came_to_life_after_its_token_had_gone_is_taken_back_by_its_id() -> None:
    bench = Bench()
    login = await bench.log_in()
    gate = bench.vault.hold("mint")
    minting = asyncio.create_task(bench.mint(login, PATHS["Lease"]))
    await bench.vault.at_gate["mint"].wait()
    await bench.vault.revoke_accessor(bench.store, login.accessor)
    gate.set()
    answer = await minting
    await bench.revoker.take_back(bench.store, login.accessor, answer.lease_id, None)
    assert not bench.vault.leases


@in_virtual_time
async def test_an_orphan_that_nobody_was_given_is_ended_by_its_own_accessor() -> None:
    bench = Bench()
    entry = (await bench.minted("orphan", EntryState.REVOKING)).model_copy(
        update={"reason": Reason.UNPUBLISHED}
    )
    assert await bench.end(entry) == DEAD
    assert not bench.vault.tokens


@in_virtual_time
async def test_a_token_accessor_that_a_secret_may_have_named_is_looked_up_and_never_revoked() -> None:
    """Who may edit Secrets could otherwise have any token of this Vault revoked."""
    bench = Bench()
    victim = await bench.log_in()
    entry = (await bench.minted()).model_copy(update={"token_accessor": victim.accessor})
    remains = await bench.end(entry)
    assert remains.state is EntryState.REVOKING
    assert victim.accessor in bench.vault.tokens


@in_virtual_time
async def test_a_login_that_is_given_back_is_gone() -> None:
    bench = Bench()
    login = await bench.log_in()
    await bench.revoker.give_back(bench.store, login.accessor)
    assert not bench.vault.tokens


@in_virtual_time
async def test_which_vault_answers_is_asked_each_time() -> None:
    bench = Bench()
    assert await bench.revoker.cluster_id(bench.store) == bench.vault.cluster
    bench.vault.cluster = "another-vault"
    assert await bench.revoker.cluster_id(bench.store) == "another-vault"


@in_virtual_time
async def test_which_vault_answers_is_known_for_a_second_to_those_who_are_about_to_log_in() -> None:
    bench = Bench()
    first = bench.vault.cluster
    assert await bench.revoker.cluster_id_lately(bench.store) == first
    bench.vault.cluster = "another-vault"
    await passing(LATELY_SECONDS - 0.1)
    assert await bench.revoker.cluster_id_lately(bench.store) == first
    await passing(0.2)
    assert await bench.revoker.cluster_id_lately(bench.store) == "another-vault"
