"""What servers may do to a request, and the requests that it is done to."""

import json
import re
from collections.abc import Sequence

from crash.proxy import KUBERNETES, VAULT, Exchange, Reply
from crash.scenarios import FIRST_MINT, SUSPENSION
from crash.troubles import MINT, Harm, Matches, Trouble
from leasehold.api.reasons import Reason
from leasehold.engine.work import REAPPLICATIONS

MANY_CONFLICTS = 2 * REAPPLICATIONS + 1


def _vault(status: int, error: str, **headers: str) -> Reply:
    return _json_reply(status, {"errors": [error]}, headers)


def kubernetes_refusal(status: int, reason: str, **headers: str) -> Reply:
    """What the API server answers where it does not do what was asked."""
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
    return _json_reply(status, {**said, "message": f"made up: {reason}"}, headers)


def _json_reply(status: int, body: dict[str, object], headers: dict[str, str]) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


UNKNOWN = Reason.UNKNOWN_OUTCOME
CUT = Harm("a cut", Reason.UNREACHABLE, at_mint=UNKNOWN)
CUT_AFTERWARDS = Harm("a cut afterwards", Reason.UNREACHABLE, after=True, at_mint=UNKNOWN)

VAULT_HARMS = (
    Harm("403", Reason.REFUSED, _vault(403, "permission denied")),
    Harm("404", Reason.REFUSED, _vault(404, "no handler for route")),
    Harm("412", Reason.UNREACHABLE, _vault(412, "required index state not present")),
    Harm("429", Reason.THROTTLED, _vault(429, "request path quota exceeded", Retry_After="1")),
    Harm("500", Reason.STORE_UNAVAILABLE, _vault(500, "internal error"), at_mint=UNKNOWN),
    Harm(
        "500 afterwards",
        Reason.STORE_UNAVAILABLE,
        _vault(500, "internal error"),
        after=True,
        at_mint=UNKNOWN,
    ),
    Harm("503", Reason.SEALED, _vault(503, "Vault is sealed")),
    Harm("garbage", Reason.MALFORMED, Reply(200, b"<html>welcome</html>"), at_mint=UNKNOWN),
    CUT,
    CUT_AFTERWARDS,
)
MORE_VAULT_HARMS = (
    Harm(
        "an oversized answer",
        Reason.UNREACHABLE,
        Reply(200, b'{"data": "' + b"x" * (2 << 20) + b'"}'),
        at_mint=UNKNOWN,
    ),
    Harm("a slow answer", None, seconds=3),
)
KUBERNETES_HARMS = (
    Harm("409", None, kubernetes_refusal(409, "Conflict")),
    Harm("429", Reason.THROTTLED, kubernetes_refusal(429, "TooManyRequests", Retry_After="1")),
    Harm("500 afterwards", None, kubernetes_refusal(500, "InternalError"), after=True),
    Harm("a cut afterwards", None, after=True),
)
MORE_KUBERNETES_HARMS = (
    Harm("500", Reason.CLUSTER_UNAVAILABLE, kubernetes_refusal(500, "InternalError")),
    Harm("503", Reason.CLUSTER_UNAVAILABLE, kubernetes_refusal(503, "ServiceUnavailable")),
    Harm("a cut", None),
    Harm("a slow answer", None, seconds=3),
)
LASTING_KUBERNETES_HARMS = (
    Harm("garbage", Reason.CLUSTER_UNAVAILABLE, Reply(200, b"<html>please log in</html>")),
    Harm("403", Reason.REFUSED, kubernetes_refusal(403, "Forbidden")),
    Harm("429", Reason.THROTTLED, kubernetes_refusal(429, "TooManyRequests", Retry_After="1")),
    Harm("500", Reason.CLUSTER_UNAVAILABLE, kubernetes_refusal(500, "InternalError")),
)

VAULT_REQUESTS = {
    "login": (FIRST_MINT, re.compile(r"/login$")),
    MINT: (FIRST_MINT, re.compile(r"/creds/")),
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
    reply = Reply(307, headers={"Location": f"{address}/v1/somewhere"})
    return Harm("a redirect", Reason.UNREACHABLE, reply, at_mint=UNKNOWN)


def vault_troubles(harms: Sequence[Harm]) -> list[Trouble]:
    """Each harm to each kind of request, until it is told."""
    return [
        Trouble(scenario, name, harm, _by_path(pattern), times=None if harm.tells else 1)
        for name, (scenario, pattern) in VAULT_REQUESTS.items()
        for harm in harms
    ]


def kubernetes_troubles(harms: Sequence[Harm]) -> list[Trouble]:
    """Each harm, once, to each request."""
    return [
        Trouble(scenario, f"{name} ({nth})", harm, _by_name(name, nth), times=1)
        for scenario, name, nth in KUBERNETES_REQUESTS
        for harm in harms
    ]


def lasting_kubernetes_troubles(harms: Sequence[Harm]) -> list[Trouble]:
    """Each harm to the requests of which the status can tell, until it does; and conflicts without an end in
    sight."""
    troubles = [
        Trouble(FIRST_MINT, name, harm, _by_name(name))
        for name in ("POST /serviceaccounts/agent/token", "PATCH /secrets/agent")
        for harm in harms
    ]
    status = "PUT /mcpconnections/agent/status"
    conflict = Harm("409 again and again", None, kubernetes_refusal(409, "Conflict"))
    return [*troubles, Trouble(FIRST_MINT, status, conflict, _by_name(status), times=MANY_CONFLICTS)]


def _by_path(pattern: re.Pattern[str]) -> Matches:
    return lambda exchange, named: exchange.server == VAULT and bool(pattern.search(exchange.path))


def _by_name(name: str, nth: int | None = None) -> Matches:
    def matches(exchange: Exchange, named: tuple[str, int] | None) -> bool:
        if exchange.server != KUBERNETES or named is None:
            return False
        return named[0] == name and nth in (None, named[1])

    return matches
