"""What servers may do to a request, and the requests that it is done to."""

import json
import re
from collections.abc import Sequence

from crash.proxy import KUBERNETES, VAULT, Reply
from crash.scenarios import FIRST_MINT, SUSPENSION
from crash.troubles import Harm, Matches, Trouble


def _vault(status: int, error: str, **headers: str) -> Reply:
    return _json_reply(status, {"errors": [error]}, headers)


def _kubernetes(status: int, reason: str, **headers: str) -> Reply:
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
    return _json_reply(status, {**said, "message": f"made up: {reason}"}, headers)


def _json_reply(status: int, body: dict[str, object], headers: dict[str, str]) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


CUT = Harm("a cut")
CUT_AFTERWARDS = Harm("a cut afterwards", after=True)

VAULT_HARMS = (
    Harm("429", _vault(429, "request path quota exceeded", Retry_After="1")),
    Harm("500 afterwards", _vault(500, "internal error"), after=True),
    Harm("garbage", Reply(200, b"<html>welcome</html>")),
    CUT,
    CUT_AFTERWARDS,
)
MORE_VAULT_HARMS = (
    Harm("412", _vault(412, "required index state not present")),
    Harm("500", _vault(500, "internal error")),
    Harm("a sealed Vault", _vault(503, "Vault is sealed")),
    Harm("an oversized answer", Reply(200, b'{"data": "' + b"x" * (2 << 20) + b'"}')),
)
KUBERNETES_HARMS = (
    Harm("409", _kubernetes(409, "Conflict")),
    Harm("500 afterwards", _kubernetes(500, "InternalError"), after=True),
    CUT_AFTERWARDS,
)
MORE_KUBERNETES_HARMS = (
    Harm("429", _kubernetes(429, "TooManyRequests", Retry_After="1")),
    Harm("500", _kubernetes(500, "InternalError")),
    Harm("503", _kubernetes(503, "ServiceUnavailable")),
    CUT,
)

VAULT_REQUESTS = {
    "login": (FIRST_MINT, re.compile(r"/login$")),
    "mint": (FIRST_MINT, re.compile(r"/creds/")),
    "revoke": (SUSPENSION, re.compile(r"/revoke-accessor$")),
    "lookup": (SUSPENSION, re.compile(r"/leases/lookup$")),
}
KUBERNETES_REQUESTS = (
    (FIRST_MINT, "PATCH /secrets/agent", 1),
    (FIRST_MINT, "POST /serviceaccounts/agent/token", 1),
    (FIRST_MINT, "PUT /mcpconnections/agent/status", 1),
    (FIRST_MINT, "PATCH /mcpconnections/agent", 1),
    (FIRST_MINT, "GET /mcprevocations", 2),
    (FIRST_MINT, "GET /mcprevocations", 3),
    (FIRST_MINT, "POST /secrets", 1),
    (FIRST_MINT, "PUT /mcpconnections/agent/status", 2),
    (SUSPENSION, "DELETE /secrets/agent", 1),
    (SUSPENSION, "PUT /mcpconnections/agent/status", 1),
)
"""What a first mint and a suspension ask of the API server, fences included."""


def redirect(address: str) -> Harm:
    """To another host, which must never hear of it."""
    return Harm("a redirect", Reply(307, headers={"Location": f"{address}/v1/somewhere"}))


def vault_troubles(harms: Sequence[Harm]) -> list[Trouble]:
    """Each harm to each kind of request, until it is told."""
    return [
        Trouble(scenario, name, harm, _by_path(pattern))
        for name, (scenario, pattern) in VAULT_REQUESTS.items()
        for harm in harms
    ]


def kubernetes_troubles(harms: Sequence[Harm]) -> list[Trouble]:
    """Each harm, once, to each request."""
    return [
        Trouble(scenario, f"{name} ({nth})", harm, _by_name(name, nth), once=True)
        for scenario, name, nth in KUBERNETES_REQUESTS
        for harm in harms
    ]


def _by_path(pattern: re.Pattern[str]) -> Matches:
    return lambda exchange, named: exchange.server == VAULT and bool(pattern.search(exchange.path))


def _by_name(name: str, nth: int) -> Matches:
    return lambda exchange, named: exchange.server == KUBERNETES and named == (name, nth)
