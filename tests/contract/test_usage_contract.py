"""What every `ports.Usage` does: in memory, and over HTTP."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import pytest

from adapters.prometheus_stage import PrometheusStage, in_json
from fakes.usage import FakeUsage
from leasehold.adapters.prometheus import PrometheusUsage
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.ports import Usage


class World(Protocol):
    """Somebody who sees the traffic, and what is seen."""

    @property
    def usage(self) -> Usage: ...

    def sees(self, uses: Mapping[str, float]) -> None: ...

    def refuses(self) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.usage = FakeUsage()

    def sees(self, uses: Mapping[str, float]) -> None:
        self.usage.told = dict(uses)

    def refuses(self) -> None:
        self.usage.fault = NeedsPerson(Reason.FORBIDDEN, "it may not ask")


class HttpWorld:
    def __init__(self, stage: PrometheusStage) -> None:
        self.stage = stage
        self.usage = PrometheusUsage(stage.url, "last_use")

    def sees(self, uses: Mapping[str, float]) -> None:
        self.stage.told = dict(uses)

    def refuses(self) -> None:
        self.stage.reply = lambda _: in_json({}, 403)


@contextmanager
def opened(kind: str) -> Iterator[World]:
    if kind == "fake":
        yield FakeWorld()
        return
    with PrometheusStage().open() as stage:
        yield HttpWorld(stage)


@pytest.fixture(params=["fake", "http"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with opened(request.param) as world:
        yield world


def told(world: World) -> Mapping[str, float]:
    return asyncio.run(world.usage.last_uses())


def test_what_is_seen_is_told_as_it_is_and_what_is_not_seen_is_absent(world: World) -> None:
    assert told(world) == {}
    seen = {"support/orders": 1795237298.25, "shop/never": 0.0, "shop/odd": -1.0, "shop/endless": math.inf}
    world.sees(seen)
    assert told(world) == seen
    world.sees({"shop/never": 0.0})
    assert told(world) == {"shop/never": 0.0}


def test_a_refusal_needs_a_person_and_tells_nothing(world: World) -> None:
    world.sees({"support/orders": 1795237298.0})
    world.refuses()
    with pytest.raises(NeedsPerson) as raised:
        told(world)
    assert raised.value.reason is Reason.FORBIDDEN
