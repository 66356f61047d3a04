"""When connections were used last, from whatever answers in place of a Prometheus, over real sockets."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.prometheus_stage import Asked, PrometheusStage, Reply, in_json, series, vector
from adapters.test_mcp_tls import Authority
from leasehold.adapters import prometheus
from leasehold.adapters.prometheus import PrometheusUsage
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.settings import BadSettings, Settings

QUERY = "max by (namespace, name) (gateway_last_request_timestamp_seconds)"
TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def stage() -> Iterator[PrometheusStage]:
    with PrometheusStage().open() as opened:
        yield opened


def ask(url: str, **options: Any) -> Mapping[str, float]:
    return asyncio.run(PrometheusUsage(url, QUERY, **options).last_uses())


def fault_of(stage: PrometheusStage, reply: Reply | Callable[[Asked], Reply], **options: Any) -> Fault:
    stage.reply = reply if callable(reply) else lambda _: reply
    with pytest.raises(Fault) as raised:
        ask(stage.url, **options)
    return raised.value


def test_each_series_is_the_last_use_of_its_connection(stage: PrometheusStage) -> None:
    stage.told = {"support/orders": 1795237298.5, "shop/catalog": 0, "shop/wiki": "1.795237298e+09"}
    assert ask(stage.url) == {
        "support/orders": 1795237298.5,
        "shop/catalog": 0.0,
        "shop/wiki": 1795237298.0,
    }
    (asked,) = stage.asked
    assert (asked.path, asked.query) == ("/api/v1/query", QUERY)


def test_a_prefix_of_the_url_is_kept(stage: PrometheusStage) -> None:
    ask(f"{stage.url}/prometheus/")
    assert stage.asked[0].path == "/prometheus/api/v1/query"


def test_of_two_series_the_later_counts_and_what_is_no_number_does_not(stage: PrometheusStage) -> None:
    found = [series("a", "b", "20"), series("a", "b", "30"), series("a", "b", "10"), series("a", "c", "NaN")]
    stage.reply = lambda _: in_json(vector([*found, series("a", "d", "+Inf")]))
    assert ask(stage.url) == {"a/b": 30.0, "a/d": math.inf}


def test_the_token_is_read_anew_each_time(stage: PrometheusStage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    usage = PrometheusUsage(stage.url, QUERY, token_file=str(file))
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        asyncio.run(usage.last_uses())
    assert [asked.headers["Authorization"] for asked in stage.asked] == ["Bearer first", "Bearer second"]


def test_neither_proxies_nor_compression_are_asked_for(
    stage: PrometheusStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    ask(stage.url)
    assert stage.asked[0].headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in stage.asked[0].headers


def test_a_redirect_is_not_followed_for_it_would_take_the_token_elsewhere(
    stage: PrometheusStage, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with PrometheusStage().open() as elsewhere:
        fault = fault_of(stage, in_json({}, 307, {"Location": elsewhere.url}), token_file=str(file))
        assert elsewhere.asked == []
    assert fault.reason is Reason.REDIRECTED


@pytest.mark.parametrize(
    ("reply", "kind", "reason", "says"),
    [
        (in_json({}, 401), NeedsPerson, Reason.UNAUTHORIZED, "wants a token"),
        (in_json({}, 403), NeedsPerson, Reason.FORBIDDEN, "may not ask"),
        (in_json({}, 404), NeedsPerson, Reason.INVALID_SPEC, "/api/v1/query"),
        (in_json({"error": "parse error: x"}, 400), NeedsPerson, Reason.INVALID_SPEC, "parse error: x"),
        (in_json({}, 429), TryLater, Reason.THROTTLED, "too many"),
        (in_json({"error": "query timed out"}, 503), TryLater, Reason.SERVER_ERROR, "timed out"),
        ((502, b"<html>", {}), TryLater, Reason.SERVER_ERROR, "502"),
        ((200, b"<html>", {}), TryLater, Reason.MALFORMED, "no JSON"),
        ((200, b"[" * 100_000, {}), TryLater, Reason.MALFORMED, "no JSON"),
        (in_json([]), TryLater, Reason.MALFORMED, "status success"),
        (in_json({"status": "error"}), TryLater, Reason.MALFORMED, "status success"),
        (in_json(vector([], warnings=["one store is away"])), TryLater, Reason.MALFORMED, "store is away"),
        (
            in_json({"status": "success", "data": {"resultType": "matrix", "result": []}}),
            NeedsPerson,
            Reason.INVALID_SPEC,
            "no instant vector",
        ),
        (in_json(vector([{"metric": {}, "value": [1, "2"]}])), NeedsPerson, Reason.INVALID_SPEC, "max by"),
        (in_json(vector([series("a", "", "2")])), NeedsPerson, Reason.INVALID_SPEC, "max by"),
        (in_json(vector([{"metric": 7}])), TryLater, Reason.MALFORMED, "no labels"),
        (in_json(vector([series("a", "b", "soon")])), TryLater, Reason.MALFORMED, "no number"),
        (in_json(vector({"a": 1})), TryLater, Reason.MALFORMED, "no list"),  # type: ignore[arg-type]
        (in_json(vector([]), headers={"Content-Encoding": "gzip"}), TryLater, Reason.MALFORMED, "compressed"),
        ((200, b"{}", {"Content-Length": "900"}), TryLater, Reason.UNREACHABLE, "cannot be reached"),
    ],
    ids=lambda part: part[1][:24].decode() if isinstance(part, tuple) else None,
)
def test_what_is_no_whole_answer_says_what_is_wrong_and_tells_nothing_of_use(
    stage: PrometheusStage, reply: Reply, kind: type[Fault], reason: Reason, says: str
) -> None:
    fault = fault_of(stage, reply)
    assert (type(fault), fault.reason) == (kind, reason)
    assert says in fault.message


def test_more_than_any_fleet_needs_is_not_read(
    stage: PrometheusStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "MAX_BYTES", 10_000)
    fault = fault_of(stage, in_json(vector([series("a", str(n), "1") for n in range(1000)])))
    assert fault.reason is Reason.TOO_LARGE


def test_nobody_there_is_no_answer(stage: PrometheusStage) -> None:
    with PrometheusStage().open() as gone:
        pass
    with pytest.raises(TryLater) as raised:
        ask(gone.url)
    assert raised.value.reason is Reason.UNREACHABLE


def test_a_token_is_in_no_fault(stage: PrometheusStage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)

    def echo(asked: Asked) -> Reply:
        return in_json({"error": f"bad header {asked.headers['Authorization']}"}, 400)

    fault = fault_of(stage, echo, token_file=str(file))
    assert TOKEN not in fault.message
    file.write_text("two\nlines")
    assert fault_of(stage, in_json(vector([])), token_file=str(file)).reason is Reason.MALFORMED
    missing = fault_of(stage, in_json(vector([])), token_file=str(tmp_path / "missing"))
    assert missing.reason is Reason.UNAUTHORIZED
    assert "LEASEHOLD_PROMETHEUS_TOKEN_FILE" in missing.message


def test_only_the_cas_that_are_named_are_believed(tmp_path: Path) -> None:
    authority, stranger = Authority("ours"), Authority("theirs")
    for name, pem in (("ours", authority.pem), ("theirs", stranger.pem), ("none", "no certificate")):
        (tmp_path / name).write_text(pem)
    with PrometheusStage(told={"a/b": 5}).open(authority.server(tmp_path)) as stage:
        assert ask(stage.url, ca_file=str(tmp_path / "ours")) == {"a/b": 5.0}
        for ca_file in (str(tmp_path / "theirs"), str(tmp_path / "none"), str(tmp_path / "missing"), None):
            with pytest.raises(NeedsPerson) as raised:
                ask(stage.url, ca_file=ca_file)
            assert raised.value.reason is Reason.TLS_FAILED


def test_a_large_fleet_fits(stage: PrometheusStage) -> None:
    fleet = [series(f"team-{n % 97}", f"connection-{n}", "1795237298") for n in range(10_000)]
    body = json.dumps(vector(fleet)).encode()
    assert len(body) * 10 < prometheus.MAX_BYTES, "ten times as many fit as well"
    stage.reply = lambda _: (200, body, {})
    assert len(ask(stage.url)) == 10_000


# settings


def given(**variables: str) -> Settings:
    return Settings.from_environment(
        {f"LEASEHOLD_PROMETHEUS_{name}": text for name, text in variables.items()}
    )


def test_url_and_query_go_together() -> None:
    assert given(URL="https://prometheus.example.com/", QUERY="q").prometheus_url is not None
    assert given().prometheus_url is None
    for only in ({"URL": "http://prometheus:9090"}, {"QUERY": "up"}):
        with pytest.raises(BadSettings, match="PROMETHEUS_URL and LEASEHOLD_PROMETHEUS_QUERY go together"):
            given(**only)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("prometheus:9090", "http://host:port"),
        ("ftp://prometheus", "http://host:port"),
        ("http:///api", "http://host:port"),
        ("http://prometheus/?x=1", "without a query"),
        (f"http://reader:{TOKEN}@prometheus", "TOKEN_FILE"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_by_its_name(url: str, says: str) -> None:
    with pytest.raises(BadSettings, match="LEASEHOLD_PROMETHEUS_URL") as refused:
        given(URL=url, QUERY="up")
    assert says in str(refused.value)
    assert TOKEN not in str(refused.value)
