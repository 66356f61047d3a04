"""What no answer, and what each kind of answer, means for a mint, which is never repeated blindly, and for all
that may be repeated: against a server that misbehaves as each case needs."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.strange_vault import Reply, Seen, StrangeVault, a_certificate, as_json, refusal
from leasehold.adapters.vault import HvacVault
from leasehold.adapters.vault_wire import MAX_ANSWER_BYTES
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import ServiceAccountToken
from leasehold.core.faults import Fault, NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.sealed import Sealed
from vaulthome import a_recipe, a_store

T = TypeVar("T")
Operation = Callable[[HvacVault, MCPCredentialStore], Awaitable[object]]

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib3QifQ.c2lnbmVk"
TOKEN = "hvs.CAESIJexampleexample"
LOGIN = as_json(200, {"auth": {"client_token": TOKEN, "accessor": "own", "lease_duration": 3600}})


def mint(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.mint(store, Sealed(TOKEN), a_recipe("database/creds/orders-read"))


def login(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.login(store, "mcp", Sealed(JWT))


def lookup_lease(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.lookup_lease(store, "database/creds/orders-read/1")


def lookup_accessor(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.lookup_accessor(store, "a1")


def revoke_accessor(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.revoke_accessor(store, "a1")


def cluster_id(vault: HvacVault, store: MCPCredentialStore) -> Awaitable[object]:
    return vault.cluster_id(store)


IDEMPOTENT = [login, lookup_lease, lookup_accessor, revoke_accessor, cluster_id]


async def identity() -> ServiceAccountToken:
    return ServiceAccountToken(Sealed(JWT), datetime.now(UTC), "operator-uid")


def run(
    scenario: Callable[[HvacVault], Coroutine[Any, Any, T]], make: Callable[[], HvacVault] | None = None
) -> T:
    async def connected() -> T:
        vault = make() if make is not None else HvacVault(identity)
        try:
            return await scenario(vault)
        finally:
            await vault.close()

    return asyncio.run(connected())


def store_at(address: str, ca_bundle: str | None = None) -> MCPCredentialStore:
    store = a_store("https://vault.example.com", "jwt")
    spec = store.spec.model_copy(
        update={"address": address, "ca_bundle": ca_bundle, "max_request_seconds": 1}
    )
    return store.model_copy(update={"spec": spec})


def fault_of(operation: Operation, store: MCPCredentialStore) -> Fault:
    async def scenario(vault: HvacVault) -> Fault:
        with pytest.raises(Fault) as raised:
            await operation(vault, store)
        return raised.value

    return run(scenario)


def answered(reply: Reply, operation: Operation) -> Fault:
    """The fault of an operation that is answered so; the operator's own login works."""

    def answer(seen: Seen) -> Reply:
        own_login = seen.path.endswith("/login") and operation is not login
        return LOGIN if own_login else reply

    with StrangeVault(answer).serving() as vault:
        return fault_of(operation, store_at(vault.address))


# no answer


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize("operation", [mint, *IDEMPOTENT])
def test_a_request_that_never_left_is_tried_again(operation: Operation, closed_port: int) -> None:
    fault = fault_of(operation, store_at(f"http://127.0.0.1:{closed_port}"))
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.UNREACHABLE
    assert "Connection refused" in fault.message


def test_a_name_that_nobody_knows_is_tried_again() -> None:
    fault = fault_of(mint, store_at("http://vault.invalid"))
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.UNREACHABLE


@contextmanager
def raw_server(said: bytes | None) -> Iterator[str]:
    """Reads a request, says this and hangs up; None: says nothing and does not hang up."""
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                if said is None:
                    done.wait(20)
                else:
                    connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


CUT_OFF = {
    "in the headers": b"HTTP/1.1 200 OK\r\nContent-",
    "before any byte": b"",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
}


@pytest.mark.parametrize("bytes_before", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_a_mint_that_is_cut_off_may_have_happened(bytes_before: bytes) -> None:
    with raw_server(bytes_before) as address:
        assert isinstance(fault_of(mint, store_at(address)), OutcomeUnknown)


@pytest.mark.parametrize("bytes_before", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_a_login_that_is_cut_off_is_tried_again(bytes_before: bytes) -> None:
    with raw_server(bytes_before) as address:
        assert isinstance(fault_of(login, store_at(address)), TryLater)


def test_a_mint_without_an_answer_may_have_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leasehold.adapters.vault.GRACE_SECONDS", -0.8)
    with raw_server(None) as address:
        assert isinstance(fault_of(mint, store_at(address)), OutcomeUnknown)


def test_a_server_that_speaks_no_tls_got_no_request() -> None:
    with StrangeVault(lambda _: LOGIN).serving() as vault:
        fault = fault_of(mint, store_at(vault.address.replace("http:", "https:")))
    assert isinstance(fault, TryLater)
    assert vault.seen == []


# TLS


def test_the_stores_own_ca_is_trusted(tmp_path: Path) -> None:
    with StrangeVault(lambda _: LOGIN).serving(a_certificate(tmp_path)) as vault:
        store = store_at(vault.address, vault.ca_bundle)
        assert run(lambda adapter: adapter.login(store, "mcp", Sealed(JWT))).accessor == "own"


@pytest.mark.parametrize("operation", [mint, login])
def test_nobody_else_is_trusted_and_nothing_is_sent(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by default, nor by another store's bundle, nor because the environment says so."""
    ours = a_certificate(tmp_path)
    other = StrangeVault(lambda _: LOGIN)
    with (
        StrangeVault(lambda _: LOGIN).serving(ours) as vault,
        other.serving(a_certificate(tmp_path, "127.0.0.2")),
    ):
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "VAULT_CACERT"):
            monkeypatch.setenv(name, str(ours))
        for bundle in (None, other.ca_bundle):
            fault = fault_of(operation, store_at(vault.address, bundle))
            assert isinstance(fault, TryLater)
            assert "TLS" in fault.message
    assert vault.seen == []


def test_a_bundle_without_certificates_needs_a_person() -> None:
    fault = fault_of(mint, store_at("https://127.0.0.1:1", "bm9uZQ=="))
    assert isinstance(fault, NeedsPerson)
    assert fault.reason is Reason.INVALID_SPEC


def test_proxies_and_netrc_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password something")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.from-the-environment")
    with StrangeVault(lambda _: LOGIN).serving() as vault:
        run(lambda adapter: adapter.login(store_at(vault.address), "mcp", Sealed(JWT)))
    assert [seen.token for seen in vault.seen] == [None]


# answers that say that nothing was done

ELSEWHERE = Reply(307, headers={"Location": "http://127.0.0.1:1/v1/elsewhere"})


@pytest.mark.parametrize("operation", [mint, *IDEMPOTENT[:-1]])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (refusal(503, "Vault is sealed"), Reason.SEALED),
        (refusal(412, "required index state not present"), Reason.UNREACHABLE),
        (refusal(429, "rate limit quota exceeded"), Reason.THROTTLED),
        (Reply(472), Reason.UNREACHABLE),
        (Reply(473), Reason.UNREACHABLE),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
def test_what_vault_did_not_try_is_tried_later(operation: Operation, reply: Reply, reason: Reason) -> None:
    fault = answered(reply, operation)
    assert isinstance(fault, TryLater)
    assert fault.reason is reason


@pytest.mark.parametrize("operation", IDEMPOTENT[:-1])
def test_a_node_that_knows_no_active_one_is_asked_again(operation: Operation) -> None:
    fault = answered(ELSEWHERE, operation)
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.UNREACHABLE
    assert "no active node" in fault.message


def test_a_standby_that_lost_the_active_node_does_not_say_whether_it_has_minted() -> None:
    fault = answered(ELSEWHERE, mint)
    assert isinstance(fault, OutcomeUnknown)
    assert "no active node" in fault.message


def test_the_wait_that_vault_asks_for_is_passed_on() -> None:
    fault = answered(refusal(429, "slow down", Retry_After="17"), mint)
    assert isinstance(fault, TryLater)
    assert fault.retry_after_seconds == 17


@pytest.mark.parametrize("operation", [mint, *IDEMPOTENT[:-1]])
@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_what_vault_refuses_needs_a_person(operation: Operation, status: int) -> None:
    fault = answered(refusal(status, "permission denied"), operation)
    assert isinstance(fault, NeedsPerson)
    assert fault.reason is Reason.REFUSED
    assert "permission denied" in fault.message


def test_a_refused_mint_names_role_and_path() -> None:
    fault = answered(refusal(403, "permission denied"), mint)
    assert "role mcp" in fault.message
    assert "database/creds/orders-read" in fault.message


def test_a_redirect_is_not_followed() -> None:
    other = StrangeVault(lambda _: LOGIN)
    with other.serving():
        moved = Reply(307, headers={"Location": f"{other.address}/v1/auth/jwt/login"})
        answered(moved, login)
        answered(moved, mint)
    assert other.seen == []


# answers that say nothing


@pytest.mark.parametrize(
    "reply",
    [
        refusal(500, "context deadline exceeded"),
        refusal(502),
        Reply(503, b"upstream timed out"),
        Reply(504),
        Reply(408),
        Reply(404, b"default backend"),
        Reply(200, b"<html>"),
        Reply(200, b"[1]"),
        Reply(200, b"null"),
        Reply(200, b"[" * 100_000),
        Reply(200, b"\xff\xfe"),
        Reply(204),
        as_json(200, {"data": []}),
        as_json(200, {"data": {}, "lease_id": 7}),
        as_json(200, {"data": {}, "lease_duration": "1h"}),
        as_json(200, {"data": {}, "lease_duration": True}),
        as_json(200, {"auth": "token"}),
        as_json(200, {"auth": {"client_token": "x"}}),
        as_json(200, {"data": {"filler": "x" * MAX_ANSWER_BYTES}}),
        Reply(200, b'{"data": {}}', cut=True),
    ],
)
def test_a_mint_with_an_answer_that_says_nothing_may_have_happened(reply: Reply) -> None:
    assert isinstance(answered(reply, mint), OutcomeUnknown)


@pytest.mark.parametrize("operation", IDEMPOTENT)
@pytest.mark.parametrize(
    "reply",
    [
        refusal(500, "internal error"),
        Reply(503, b"upstream timed out"),
        Reply(200, b"<html>"),
        as_json(200, {"data": {"filler": "x" * MAX_ANSWER_BYTES}}),
    ],
    ids=["500", "503", "html", "oversized"],
)
def test_what_may_be_repeated_is(operation: Operation, reply: Reply) -> None:
    assert isinstance(answered(reply, operation), TryLater)


@pytest.mark.parametrize("operation", [login, lookup_lease, lookup_accessor, cluster_id])
@pytest.mark.parametrize("body", [{}, {"data": "text", "auth": "text"}, {"data": {"ttl": "1"}, "auth": {}}])
def test_an_answer_of_another_shape_is_asked_for_again(operation: Operation, body: dict[str, object]) -> None:
    fault = answered(as_json(200, body), operation)
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("operation", "reply"),
    [
        (lookup_lease, refusal(400, "lease_id must be specified")),
        (lookup_lease, refusal(404, "invalid lease")),
        (lookup_accessor, refusal(404)),
        (lookup_accessor, refusal(403, "permission denied")),
        (lookup_accessor, refusal(400, "missing accessor")),
        (lookup_lease, as_json(200, {"data": {"id": "another/lease", "ttl": 5}})),
        (lookup_lease, as_json(200, {"data": None})),
        (lookup_accessor, Reply(204)),
    ],
)
def test_only_vaults_own_words_make_something_absent(operation: Operation, reply: Reply) -> None:
    assert isinstance(answered(reply, operation), Fault)


# secrets


def test_vaults_words_are_scrubbed_and_short() -> None:
    leak = f"cannot parse {JWT}\nfor {TOKEN} at postgres://root:hunter2@db/x \x1b[31m" + "x" * 5000
    message = answered(refusal(400, leak), mint).message
    assert not any(secret in message for secret in (JWT, TOKEN, "hunter2", "\x1b", "\n"))
    assert len(message) < 500


@pytest.mark.parametrize("operation", [mint, login])
def test_a_fault_holds_no_secret_anywhere_in_its_chain(operation: Operation) -> None:
    with raw_server(b"") as address:
        fault: BaseException | None = fault_of(operation, store_at(address))
    while fault is not None:
        assert JWT not in repr(vars(fault)) + repr(fault.args) + str(fault)
        assert TOKEN not in repr(vars(fault)) + repr(fault.args) + str(fault)
        assert getattr(fault, "request", None) is None
        fault = fault.__cause__ or fault.__context__


# the operator's own login


def test_many_requests_share_one_login_of_the_operator() -> None:
    def answer(seen: Seen) -> Reply:
        return LOGIN if seen.path.endswith("/login") else refusal(400, "invalid accessor")

    async def scenario(vault: HvacVault) -> None:
        await asyncio.gather(*(vault.lookup_accessor(store, f"a{number}") for number in range(20)))

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(scenario)
    assert sum(seen.path.endswith("/login") for seen in strange.seen) == 1
    assert len(strange.seen) == 21


@pytest.mark.parametrize(("age", "logins"), [(2399, 1), (2401, 2)])
def test_the_operator_logs_in_again_after_two_thirds_of_its_tokens_life(age: float, logins: int) -> None:
    now = [1000.0]

    async def scenario(vault: HvacVault) -> None:
        await vault.lookup_accessor(store, "a")
        now[0] += age
        await vault.lookup_accessor(store, "a")

    def answer(seen: Seen) -> Reply:
        return LOGIN if seen.path.endswith("/login") else refusal(400, "invalid accessor")

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(scenario, lambda: HvacVault(identity, monotonic=lambda: now[0]))
    assert sum(seen.path.endswith("/login") for seen in strange.seen) == logins


def test_a_revoked_token_of_the_operator_is_replaced_once() -> None:
    tokens = iter(["hvs.first", "hvs.second"])

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/login"):
            auth = {"client_token": next(tokens), "accessor": "own", "lease_duration": 3600}
            return as_json(200, {"auth": auth})
        return (
            refusal(400, "invalid accessor")
            if seen.token == "hvs.second"
            else refusal(403, "permission denied")
        )

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        assert run(lambda vault: vault.lookup_accessor(store, "a")) is None
    assert [seen.token for seen in strange.seen] == [None, "hvs.first", None, "hvs.second"]


def of_a_person() -> HvacVault:
    token = Sealed("hvs.person")
    return HvacVault.of_a_person(lambda store: token, threads=2)


def test_a_persons_token_asks_and_a_refusal_is_not_asked_twice_nor_logged_in_over() -> None:
    with StrangeVault(lambda seen: refusal(403, "permission denied")).serving() as strange:
        store = store_at(strange.address)

        async def scenario(vault: HvacVault) -> None:
            with pytest.raises(NeedsPerson, match="permission denied"):
                await vault.lookup_accessor(store, "a")

        run(scenario, of_a_person)
    assert [(seen.path, seen.token) for seen in strange.seen] == [
        ("/v1/auth/token/lookup-accessor", "hvs.person")
    ]


def test_without_a_token_for_a_store_nothing_is_sent() -> None:
    with StrangeVault(lambda seen: Reply()).serving() as strange:

        async def scenario(vault: HvacVault) -> None:
            with pytest.raises(NeedsPerson, match="no Vault token was given for"):
                await vault.lookup_lease(store_at(strange.address), "a/1")

        run(scenario, lambda: HvacVault.of_a_person(lambda store: None, threads=2))
    assert strange.seen == []


def test_leases_are_listed_by_their_ids_and_only_vault_says_that_there_are_none() -> None:
    some = as_json(200, {"data": {"keys": ["1", "deeper/", "2"]}})
    for reply, expected in ((some, ("creds/a/1", "creds/a/2")), (refusal(404), ())):
        with StrangeVault(lambda seen: reply).serving() as strange:  # noqa: B023
            store = store_at(strange.address)
            assert run(lambda vault: vault.leases_below(store, "creds/a"), of_a_person) == expected  # noqa: B023
        assert strange.seen[0].path == "/v1/sys/leases/lookup/creds/a?list=true"
    for reply in (Reply(404, b"<html>not here</html>"), refusal(404, "no handler for route")):
        with StrangeVault(lambda seen: reply).serving() as strange:  # noqa: B023
            store = store_at(strange.address)
            with pytest.raises(Fault):
                run(lambda vault: vault.leases_below(store, "creds/a"), of_a_person)  # noqa: B023


# order and pace


def test_a_revocation_overtakes_mints_that_fill_their_threads() -> None:
    release = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/login"):
            return LOGIN
        if "creds" in seen.path:
            assert release.wait(20)
            return as_json(200, {"data": {"a": "b"}})
        return Reply(204)

    async def scenario(vault: HvacVault) -> None:
        minting = [asyncio.ensure_future(mint(vault, store)) for _ in range(6)]
        await vault.revoke_accessor(store, "a1")
        assert not any(each.done() for each in minting)
        release.set()
        await asyncio.gather(*minting)

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address).model_copy()
        store = store.model_copy(update={"spec": store.spec.model_copy(update={"max_request_seconds": 60})})
        run(scenario, lambda: HvacVault(identity, threads=2))


def test_a_login_waits_for_its_turn_and_neither_a_mint_nor_a_revocation_does() -> None:
    async def scenario(vault: HvacVault) -> None:
        await login(vault, store)
        waiting = asyncio.ensure_future(login(vault, store))
        await mint(vault, store)
        await asyncio.gather(*(vault.revoke_accessor(store, f"a{number}") for number in range(5)))
        assert not waiting.done()
        waiting.cancel()

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/login"):
            return LOGIN
        return as_json(200, {"data": {"a": "b"}}) if "creds" in seen.path else Reply(204)

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(scenario, lambda: HvacVault(identity, requests_per_second=0.001, burst=2))
    logins = sum(seen.path.endswith("/login") for seen in strange.seen)
    assert logins == 1 + 1, "the first connection's, and the operator's own, which goes past"


def test_a_mint_that_cannot_leave_at_once_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be under way after the time by which the ledger says that it is over."""
    monkeypatch.setattr("leasehold.adapters.vault.SEND_WITHIN_SECONDS", 1.0)
    late = threading.Event()

    def answer(seen: Seen) -> Reply:
        assert late.wait(20)
        return as_json(200, {"data": {"a": "b"}})

    async def scenario(vault: HvacVault) -> None:
        first = asyncio.ensure_future(mint(vault, store))
        second = asyncio.ensure_future(mint(vault, store))
        asyncio.get_running_loop().call_later(1.5, late.set)
        await first
        with pytest.raises(TryLater) as raised:
            await second
        assert raised.value.reason is Reason.UNREACHABLE
        assert "it was not sent" in raised.value.message

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(scenario, lambda: HvacVault(identity, threads=1))
    assert len(strange.seen) == 1


def test_requests_of_one_thread_share_a_connection_but_no_token() -> None:
    async def scenario(vault: HvacVault) -> None:
        for token in ("hvs.one", "hvs.two"):
            await vault.mint(store, Sealed(token), a_recipe("kv/a", type="Static"))
        await vault.login(store, "mcp", Sealed(JWT))

    def answer(seen: Seen) -> Reply:
        return LOGIN if seen.path.endswith("/login") else as_json(200, {"data": {"a": "b"}})

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(scenario, lambda: HvacVault(identity, threads=1))
    assert [seen.token for seen in strange.seen] == ["hvs.one", "hvs.two", None]
    assert len({seen.connection for seen in strange.seen}) == 1


def test_a_written_recipe_sends_its_parameters_as_they_are() -> None:
    recipe = a_recipe("pki/issue/x", method="Write", parameters={"common_name": "a.b", "ttl": "60"})
    with StrangeVault(lambda _: as_json(200, {"data": {"a": "b"}})).serving() as strange:
        run(lambda vault: vault.mint(store_at(strange.address), Sealed(TOKEN), recipe))
    (seen,) = strange.seen
    assert (seen.method, seen.path) == ("POST", "/v1/pki/issue/x")
    assert seen.body == {"common_name": "a.b", "ttl": "60"}


def test_operations_are_observed_with_their_outcome() -> None:
    noted: list[tuple[str, str, str]] = []

    async def scenario(vault: HvacVault) -> None:
        await vault.login(store, "mcp", Sealed(JWT))
        with pytest.raises(NeedsPerson):
            await mint(vault, store)

    def answer(seen: Seen) -> Reply:
        return LOGIN if seen.path.endswith("/login") else refusal(403, "permission denied")

    with StrangeVault(answer).serving() as strange:
        store = store_at(strange.address)
        run(
            scenario,
            lambda: HvacVault(identity, observe=lambda store, what, how, _: noted.append((store, what, how))),
        )
    assert noted == [("default", "login", "ok"), ("default", "mint", "Refused")]
