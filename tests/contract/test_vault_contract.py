"""What every `ports.Vault` does: in memory, and on a real Vault as an operator with the shipped policy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from contract.vault_worlds import (
    CHILD_TOKEN,
    FORBIDDEN,
    LEASE_SECONDS,
    LEASED,
    STATIC,
    FakeVaultWorld,
    RealVaultWorld,
    VaultWorld,
)
from controlplane import Plane
from leasehold.api.names import OPERATOR_AUDIENCE
from leasehold.api.reasons import Reason
from leasehold.core.facts import AccessorRevocation, Login, MintAnswer
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.identity import NAMESPACE, SERVICE_ACCOUNT, SERVICE_ACCOUNT_UID
from leasehold.ports import Vault

T = TypeVar("T")


@pytest.fixture(scope="module")
def real(plane: Plane) -> RealVaultWorld:
    return RealVaultWorld(plane)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[VaultWorld]:
    if request.param == "fake":
        yield FakeVaultWorld()
        return
    found = request.getfixturevalue("real")
    yield found
    found.release_mints()


async def eventually(found: Callable[[], Awaitable[T]], seconds: float = 20) -> T:
    """The first answer that is true."""
    async with asyncio.timeout(seconds):
        while not (answer := await found()):  # noqa: ASYNC110  # Vault tells nobody when it is done
            await asyncio.sleep(0.02)
        return answer


async def logged_in(world: VaultWorld, vault: Vault) -> Login:
    jwt = await asyncio.to_thread(lambda: world.jwt(world.account()))
    return await vault.login(world.store, "mcp", jwt)


async def minted(world: VaultWorld, vault: Vault, kind: str = LEASED) -> tuple[Login, MintAnswer]:
    login = await logged_in(world, vault)
    return login, await vault.mint(world.store, login.token, world.recipe(kind))


async def lease_is_gone(world: VaultWorld, vault: Vault, answer: MintAnswer) -> bool:
    return await vault.lookup_lease(world.store, answer.lease_id or "") is None


def fault_of(world: VaultWorld, scenario: Callable[[Vault], Awaitable[object]]) -> Fault:
    async def failing(vault: Vault) -> Fault:
        with pytest.raises(Fault) as raised:
            await scenario(vault)
        return raised.value

    return world.run(failing)


# logging in


def test_one_vault_has_one_cluster_id(world: VaultWorld) -> None:
    async def twice(vault: Vault) -> set[str]:
        return {await vault.cluster_id(world.store), await vault.cluster_id(world.store)}

    assert len(world.run(twice) - {""}) == 1


def test_a_login_can_be_looked_up_and_says_whose_it_is(world: VaultWorld) -> None:
    account = world.account()
    jwt = world.jwt(account)

    async def scenario(vault: Vault) -> None:
        login = await vault.login(world.store, "mcp", jwt)
        facts = await vault.lookup_accessor(world.store, login.accessor)
        assert facts is not None
        assert facts.path == world.store.spec.auth.login_path
        assert facts.metadata[NAMESPACE] == account.namespace
        assert facts.metadata[SERVICE_ACCOUNT] == account.name
        assert facts.metadata[SERVICE_ACCOUNT_UID] == account.uid
        assert LEASE_SECONDS < facts.ttl_seconds <= login.ttl_seconds

    world.run(scenario)


def test_a_token_for_another_audience_is_refused(world: VaultWorld) -> None:
    jwt = world.jwt(world.account(), OPERATOR_AUDIENCE)
    fault = fault_of(world, lambda vault: vault.login(world.store, "mcp", jwt))
    assert isinstance(fault, NeedsPerson)
    assert fault.reason is Reason.REFUSED
    assert jwt.reveal() not in fault.message


def test_an_unknown_role_is_refused_by_name(world: VaultWorld) -> None:
    jwt = world.jwt(world.account())
    fault = fault_of(world, lambda vault: vault.login(world.store, "nobody", jwt))
    assert isinstance(fault, NeedsPerson)
    assert "nobody" in fault.message


# minting


def test_what_is_minted_works_under_a_living_lease(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> MintAnswer:
        _, answer = await minted(world, vault)
        facts = await vault.lookup_lease(world.store, answer.lease_id or "")
        assert facts is not None
        assert facts.lease_id == answer.lease_id
        assert 0 < facts.ttl_seconds <= answer.lease_seconds == LEASE_SECONDS
        return answer

    assert world.works(world.run(scenario))


def test_a_path_outside_the_role_is_refused_and_nothing_is_minted(world: VaultWorld) -> None:
    before = world.leases_under("")
    fault = fault_of(world, lambda vault: minted(world, vault, FORBIDDEN))
    assert isinstance(fault, NeedsPerson)
    assert fault.reason is Reason.REFUSED
    assert world.leases_under("") == before


def test_a_revoked_login_mints_nothing(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login = await logged_in(world, vault)
        await vault.revoke_accessor(world.store, login.accessor)
        await vault.mint(world.store, login.token, world.recipe(LEASED))

    assert isinstance(fault_of(world, scenario), NeedsPerson)


def test_static_data_comes_without_lease_and_without_token(world: VaultWorld) -> None:
    _, answer = world.run(lambda vault: minted(world, vault, STATIC))
    assert answer.lease_id is None
    assert answer.auth is None
    assert answer.data.reveal()["data"]


def test_a_mint_whose_caller_is_gone_goes_on(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login = await logged_in(world, vault)
        before = await asyncio.to_thread(world.leases_under, login.accessor)
        await asyncio.to_thread(world.hold_mints)
        minting = asyncio.create_task(vault.mint(world.store, login.token, world.recipe(LEASED)))
        await world.mint_is_under_way()
        minting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await minting
        await asyncio.to_thread(world.release_mints)

        async def one_more() -> bool:
            return await asyncio.to_thread(world.leases_under, login.accessor) == before + 1

        assert await eventually(one_more)
        await vault.revoke_accessor(world.store, login.accessor)

        async def as_before() -> bool:
            return await asyncio.to_thread(world.leases_under, login.accessor) == before

        assert await eventually(as_before)

    world.run(scenario)


def test_a_revocation_does_not_end_a_mint_that_is_under_way(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login = await logged_in(world, vault)
        await asyncio.to_thread(world.hold_mints)
        minting = asyncio.create_task(vault.mint(world.store, login.token, world.recipe(LEASED)))
        await world.mint_is_under_way()
        assert await vault.revoke_accessor(world.store, login.accessor) is AccessorRevocation.ACCEPTED
        await asyncio.to_thread(world.release_mints)
        answer = await minting
        assert await asyncio.to_thread(world.works, answer)
        await vault.revoke_lease(world.store, answer.lease_id or "")
        assert not await asyncio.to_thread(world.works, answer)

    world.run(scenario)


# revoking


def test_revoking_a_login_ends_all_that_hangs_under_it(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> MintAnswer:
        login, answer = await minted(world, vault)
        assert await vault.revoke_accessor(world.store, login.accessor) is AccessorRevocation.ACCEPTED
        assert await vault.lookup_accessor(world.store, login.accessor) is None
        await eventually(lambda: lease_is_gone(world, vault, answer))
        return answer

    assert not world.works(world.run(scenario))


def test_revoking_a_login_ends_its_child_tokens(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login, answer = await minted(world, vault, CHILD_TOKEN)
        assert answer.auth is not None
        child = await vault.lookup_accessor(world.store, answer.auth.accessor)
        assert child is not None
        assert child.path != world.store.spec.auth.login_path
        await vault.revoke_accessor(world.store, login.accessor)
        assert await vault.lookup_accessor(world.store, answer.auth.accessor) is None

    world.run(scenario)


def test_what_is_unknown_is_said_to_be_unknown(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login = await logged_in(world, vault)
        await vault.revoke_accessor(world.store, login.accessor)
        for accessor in (login.accessor, "never-there"):
            revoked = await vault.revoke_accessor(world.store, accessor)
            assert revoked is AccessorRevocation.UNKNOWN_ACCESSOR
            assert await vault.lookup_accessor(world.store, accessor) is None
        assert await vault.lookup_lease(world.store, "database/creds/none/never") is None
        await vault.revoke_lease(world.store, "database/creds/none/never")

    world.run(scenario)


def test_revoking_a_lease_ends_it_alone(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> MintAnswer:
        login, answer = await minted(world, vault)
        await vault.revoke_lease(world.store, answer.lease_id or "")
        assert await vault.lookup_lease(world.store, answer.lease_id or "") is None
        assert await vault.lookup_accessor(world.store, login.accessor) is not None
        return answer

    assert not world.works(world.run(scenario))


def test_no_lease_is_given_up_at_first(world: VaultWorld) -> None:
    assert world.run(lambda vault: vault.irrevocable_leases(world.store)) == 0


def test_a_backend_that_keeps_a_lease_is_reported_until_it_lets_go(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> MintAnswer:
        login, answer = await minted(world, vault)
        lease_id = answer.lease_id or ""
        await asyncio.to_thread(world.break_backend)
        try:
            await vault.revoke_accessor(world.store, login.accessor)

            async def pending() -> bool:
                facts = await vault.lookup_lease(world.store, lease_id)
                return facts is not None and facts.ttl_seconds <= 0

            assert await eventually(pending)
            assert await asyncio.to_thread(world.works, answer)
            with pytest.raises(TryLater) as raised:
                await vault.revoke_lease(world.store, lease_id)
            assert raised.value.reason is Reason.REVOCATION_PENDING
        finally:
            await asyncio.to_thread(world.mend_backend)
        await vault.revoke_lease(world.store, lease_id)
        assert await lease_is_gone(world, vault, answer)
        return answer

    assert not world.works(world.run(scenario))


# a Vault that is not there


async def every_operation(world: VaultWorld, vault: Vault, login: Login) -> AsyncIterator[Fault]:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: vault.cluster_id(world.store),
        lambda: vault.login(world.store, "mcp", login.token),
        lambda: vault.mint(world.store, login.token, world.recipe(LEASED)),
        lambda: vault.revoke_accessor(world.store, login.accessor),
        lambda: vault.lookup_accessor(world.store, login.accessor),
        lambda: vault.lookup_lease(world.store, "database/creds/none/never"),
        lambda: vault.revoke_lease(world.store, "database/creds/none/never"),
        lambda: vault.irrevocable_leases(world.store),
    ]
    for call in calls:
        with pytest.raises(Fault) as raised:
            await call()
        yield raised.value


def test_a_sealed_vault_does_nothing_and_loses_nothing(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login, answer = await minted(world, vault)
        await asyncio.to_thread(world.seal)
        try:
            faults = [fault async for fault in every_operation(world, vault, login)]
        finally:
            await asyncio.to_thread(world.unseal)
        assert {type(fault) for fault in faults} == {TryLater}
        assert {fault.reason for fault in faults} == {Reason.SEALED}
        assert not await lease_is_gone(world, vault, answer)
        assert await vault.lookup_accessor(world.store, login.accessor) is not None

    world.run(scenario)


def test_a_vault_that_is_away_does_nothing_and_loses_nothing(world: VaultWorld) -> None:
    async def scenario(vault: Vault) -> None:
        login, answer = await minted(world, vault)
        await asyncio.to_thread(world.go_away)
        try:
            faults = [fault async for fault in every_operation(world, vault, login)]
        finally:
            await asyncio.to_thread(world.come_back)
        assert {type(fault) for fault in faults} == {TryLater}
        assert {fault.reason for fault in faults} == {Reason.UNREACHABLE}
        assert not await lease_is_gone(world, vault, answer)

    world.run(scenario)
