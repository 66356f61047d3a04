"""What a name resolves to is its owner's choice; what gets connected is ours."""

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from adapters.mcp_stage import Asked, Line, play, stateless
from leasehold.adapters.mcp_addresses import METADATA, AddressPolicy
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.probe import ProbeTarget

STRICT = AddressPolicy()
LOCAL = AddressPolicy(allow_loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "169.254.1.1",
        "169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.1.2.3",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "10.1.2.3",
    ],
)
def test_an_address_that_is_nobodys_business_is_refused_in_every_clothing(address: str) -> None:
    policy = AddressPolicy(denied=(ip_network("10.0.0.0/8"),))
    assert policy.objection(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    [
        "10.96.0.10",
        "172.16.5.5",
        "192.168.1.1",
        "93.184.216.34",
        "2606:2800::1",
        "fd12::1",
        "64:ff9b::5db8:d822",
    ],
)
def test_private_and_public_addresses_are_where_servers_live(address: str) -> None:
    assert STRICT.objection(ip_address(address)) is None


def test_loopback_is_allowed_only_where_somebody_said_so_and_metadata_nowhere() -> None:
    assert LOCAL.objection(ip_address("127.0.0.1")) is None
    assert LOCAL.objection(ip_address("::ffff:127.0.0.1")) is None
    assert LOCAL.objection(ip_address("0.0.0.0")) is not None
    for network in METADATA:
        assert LOCAL.objection(network.network_address) is not None
    assert AddressPolicy(True, (ip_network("127.0.0.0/8"),)).objection(ip_address("127.0.0.1")) is not None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", Reason.ADDRESS_DENIED),
        ("localhost", Reason.ADDRESS_DENIED),
        ("0x7f.1", Reason.ADDRESS_DENIED),
        ("2130706433", Reason.INVALID_SPEC),
        ("127.1", Reason.INVALID_SPEC),
        ("0", Reason.INVALID_SPEC),
    ],
)
def test_however_loopback_is_written_nothing_reaches_it(host: str, reason: Reason) -> None:
    def written(url: str) -> ProbeTarget:
        return ProbeTarget(url.replace("127.0.0.1", host))

    played = play(stateless(), policy=STRICT, target_of=written)
    assert played.stage.asked == []
    assert isinstance(played.fault, NeedsPerson)
    assert played.fault.reason is reason


def _listening_port() -> int:
    """A port on which nobody listens: what is refused is refused before that shows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resolving(monkeypatch: pytest.MonkeyPatch, *looks: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Let `shop.example` resolve to these addresses, look by look; gives the looks that there were."""
    real, left, taken = socket.getaddrinfo, iter(looks), list[tuple[str, ...]]()

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "shop.example":
            return real(host, port, *rest, **more)
        taken.append(next(left))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in taken[-1]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return taken


def named(url: str) -> ProbeTarget:
    return ProbeTarget(url.replace("127.0.0.1", "shop.example"))


def test_a_name_that_points_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ("127.0.0.1",))
    played = play(stateless(), policy=STRICT, target_of=named)
    assert played.fault.reason is Reason.ADDRESS_DENIED
    assert played.stage.asked == []


def test_a_name_that_changes_its_mind_midway_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection is judged by the look-up that it is made from."""

    async def hang_up(asked: Asked, line: Line) -> None:
        await line.result(asked, {"tools": []}, Connection="close")
        line.hang_up()

    looks = resolving(monkeypatch, ("127.0.0.1",), ("169.254.169.254",))
    played = play(stateless({"tools/list": hang_up}), policy=LOCAL, target_of=named)
    assert played.fault.reason is Reason.ADDRESS_DENIED
    assert looks == [("127.0.0.1",), ("169.254.169.254",)]


def test_of_several_addresses_only_the_allowed_ones_are_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ("169.254.169.254", "127.0.0.1"))
    assert play(stateless(), policy=LOCAL, target_of=named).probed.surface.tools


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    played = play(stateless(), target=ProbeTarget("http://nobody.invalid/mcp"))
    assert played.fault.reason is Reason.UNREACHABLE


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    played = play(stateless(), target=ProbeTarget(f"http://127.0.0.1:{_listening_port()}/mcp"))
    assert played.fault.reason is Reason.UNREACHABLE
