"""A token is good only as long as the account that it speaks for exists, whatever its own expiry says."""

from datetime import timedelta

import pytest

from fakes.cluster import FakeCluster
from fakes.people import FakePeople
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater, Vanished
from leasehold.engine.service_accounts import Namespaces, ServiceAccounts
from objects import NOON, a_connection
from virtual_time import in_virtual_time

CONNECTION = a_connection(namespace="support")
MINUTE = timedelta(minutes=1)


class Home:
    """A cluster with the connection's account, and what the engine knows of it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.people = FakePeople(self.cluster)
        self.people.namespace(name="support")
        self.people.create_service_account("support", "support-bot")
        self.accounts = ServiceAccounts(self.cluster)

    async def token(self, store: str = "default", later: timedelta = timedelta(0)) -> str:
        return (await self.accounts.token(CONNECTION, store, NOON + later)).reveal()


@in_virtual_time
async def test_a_token_serves_all_mints_of_half_an_hour() -> None:
    home = Home()
    first = await home.token()
    assert await home.token(later=29 * MINUTE) == first
    assert await home.token(later=31 * MINUTE) != first


@in_virtual_time
async def test_each_store_gets_its_own_audience() -> None:
    home = Home()
    assert await home.token("default") != await home.token("other")
    assert [audience for _, _, audience in home.cluster.tokens] == [
        "leasehold.dev/store/default",
        "leasehold.dev/store/other",
    ]


@in_virtual_time
async def test_the_token_of_a_deleted_account_is_not_used() -> None:
    home = Home()
    await home.token()
    home.people.delete_service_account("support", "support-bot")
    with pytest.raises(Vanished):
        await home.token(later=MINUTE)
    assert home.accounts.known(CONNECTION) is False


@in_virtual_time
async def test_the_token_of_an_accounts_namesake_is_not_used() -> None:
    home = Home()
    first = await home.token()
    home.people.delete_service_account("support", "support-bot")
    home.people.create_service_account("support", "support-bot")
    assert await home.token(later=MINUTE) != first


@in_virtual_time
async def test_a_look_up_that_failed_hands_no_token_out() -> None:
    home = Home()
    await home.token()
    home.cluster.fail("service_account", TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away"))
    with pytest.raises(TryLater):
        await home.token(later=MINUTE)


@in_virtual_time
async def test_an_account_is_looked_up_once_in_an_hour() -> None:
    home = Home()
    await home.token()
    home.people.delete_service_account("support", "support-bot")
    assert await home.accounts.exists(CONNECTION, NOON + 59 * MINUTE)
    assert not await home.accounts.exists(CONNECTION, NOON + 60 * MINUTE)


@in_virtual_time
async def test_an_account_that_was_never_looked_up_is_within_one_period() -> None:
    home = Home()
    assert home.accounts.known(CONNECTION) is None
    due = home.accounts.check_due(CONNECTION, NOON)
    assert NOON <= due <= NOON + timedelta(hours=1)


@in_virtual_time
async def test_an_account_that_is_gone_is_looked_for_every_minute() -> None:
    home = Home()
    home.people.delete_service_account("support", "support-bot")
    with pytest.raises(Vanished):
        await home.token()
    home.people.create_service_account("support", "support-bot")
    assert not await home.accounts.exists(CONNECTION, NOON + timedelta(seconds=59))
    assert await home.accounts.exists(CONNECTION, NOON + MINUTE)


@in_virtual_time
async def test_labels_of_a_namespace_are_at_most_a_minute_old() -> None:
    home = Home()
    namespaces = Namespaces(home.cluster)
    assert await namespaces.labels("support", NOON) == {}
    home.cluster.namespaces["support"].labels["mcp"] = "true"
    assert await namespaces.labels("support", NOON + timedelta(seconds=59)) == {}
    assert await namespaces.labels("support", NOON + MINUTE) == {"mcp": "true"}


@in_virtual_time
async def test_a_namespace_that_is_gone_has_no_labels() -> None:
    assert await Namespaces(Home().cluster).labels("elsewhere", NOON) == {}
