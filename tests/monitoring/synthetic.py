"""A fleet that nobody runs, told by the real telemetry: every state that a connection can be in, and every counter
growing, so that whatever a dashboard or an alert asks has an answer."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.telemetry.fleet import DETAILED_CONNECTIONS, FleetMetrics
from leasehold.telemetry.http import TelemetryServer
from leasehold.telemetry.metrics import Telemetry
from objects import a_connection, a_ready_condition, an_entry

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DIGEST = "sha256:" + "0" * 64
SERVER = {"scopes": ["orders:read"], "credentialType": "Lease"}
LANES = ("breakglass", "revoke", "first_mint", "rotate", "probe", "status")
OUTCOMES = ("ok", "Unreachable")


class SyntheticOperator:
    """What one operator would export. While it is not `troubled`, nothing of it is worth an alert."""

    def __init__(
        self, *, troubled: bool = True, leads: bool = True, detailed: int = DETAILED_CONNECTIONS
    ) -> None:
        self._troubled = troubled
        self._telemetry = Telemetry(FleetMetrics(detailed), "synthetic")
        self._telemetry.leader(leads)
        now = datetime.now(UTC)
        for connection in [*well(now), *(in_trouble(now) if troubled else [])]:
            self._telemetry.connection(connection)
        for kind in ("MCPConnection", "MCPServerProfile", "MCPCredentialStore"):
            self._telemetry.inventory(kind, 30, 3600.0 if troubled else 10.0)
        for lane in LANES:
            self._telemetry.queue(lane, 3, 1.0)
        self._telemetry.store("default", not troubled, Reason.SEALED if troubled else Reason.ACTIVE, 0)
        self._telemetry.looked_for_shadows("ok", {"support": (2, now)} if troubled else {})
        self._telemetry.breakglass(1 if troubled else 0, 4, 2, {"Unreachable": 2} if troubled else {})

    def leads(self, leading: bool) -> None:
        """Whether it acts."""
        self._telemetry.leader(leading)

    def render(self) -> bytes:
        """What a scrape gets; with each one something has happened."""
        told = self._telemetry
        told.minted("succeeded", Reason.ROTATION, CredentialType.LEASE)
        told.revoked("verified", Reason.OVERLAP_OVER)
        for _ in range(10):
            told.revocation_lag(120.0 if self._troubled else 0.5)
        told.reviewed("Approve", "Owner", Reason.COUNTED)
        told.probed("orders-read", "ok")
        told.drifted("review")
        told.asked_for_use("Heartbeat", "ok")
        told.breakglass_reached("verified", 2.0)
        told.event_dropped("queue_full")
        for outcome in OUTCOMES:
            told.reconciled(0.01, outcome)
            told.vault_request("default", "login", outcome, 0.02)
            told.cluster_request("PUT", "mcpconnections/status", outcome, 0.003)
        if self._troubled:
            told.audit_write_failed("file")
        return told.render()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Its /metrics, at this address."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="synthetic")
        thread.start()
        server = TelemetryServer(self.render, lambda: (True, ""), lambda: (True, ""))

        async def stop() -> None:
            await server.stop()

        try:
            host, port = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result(20)
            yield f"{host}:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(stop(), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()


def well(now: datetime) -> list[MCPConnection]:
    """Connections of which nobody has to be told now, although some are stopped."""
    review = {"review": "r", "reviewer": "bob", "assurance": "Owner", "time": rfc3339(now - DAY)}
    used = {"source": "Heartbeat", "observedSince": rfc3339(now - DAY), "lastUsedTime": rfc3339(now)}
    stopped = (Reason.SUSPENDED, Reason.HELD, Reason.REJECTED, Reason.IDLE, Reason.EXPIRED, Reason.PENDING)
    return [
        _connection("fresh", now, approval=review, use=used, ledger=[_entry(now)]),
        _connection("due", now, Reason.REVIEW_DUE, end=now + 10 * DAY, ledger=[_entry(now)]),
        _connection("static", now, server={"scopes": ["all"], "credentialType": "Static"}),
        _connection("record", now, server={"scopes": ["all"]}),
        _connection("never-used", now, use={"source": "Prometheus", "observedSince": rfc3339(now - DAY)}),
        _connection("reviewable", now, Reason.DRIFTED, drift=_drift(now, "Review")),
        *(
            _connection(
                reason.lower(),
                now,
                reason,
                ready=False,
                end=now + (-HOUR if reason is Reason.EXPIRED else 60 * DAY),
            )
            for reason in stopped
        ),
    ]


def in_trouble(now: datetime) -> list[MCPConnection]:
    """One connection for each alert that is about connections."""
    stuck = an_entry(1, EntryState.REVOKING, end_time=now - HOUR)
    stale = _entry(now, issued_time=now - 2 * HOUR, expiry_time=now + HOUR / 2)
    many = [*(an_entry(number, EntryState.IRREVOCABLE, end_time=now - HOUR) for number in range(1, 6))]
    return [
        _connection("over", now, end=now - HOUR, ledger=[_entry(now)]),
        _connection(
            "stuck",
            now,
            Reason.REVOKED,
            ready=False,
            ledger=[stuck],
            residualExposureUntil=rfc3339(now + HOUR),
        ),
        _connection("stale", now, ledger=[stale]),
        _connection("away", now, Reason.STORE_UNAVAILABLE, ready=False),
        _connection("hostile", now, Reason.DRIFTED, ready=False, drift=_drift(now, "Hostile")),
        _connection("dangerous", now, Reason.DRIFTED, drift=_drift(now, "Dangerous")),
        _connection("soon", now, Reason.REVIEW_DUE, end=now + DAY),
        _connection("many", now, Reason.SUSPENDED, ready=False, ledger=many),
    ]


def _connection(
    name: str,
    now: datetime,
    reason: Reason = Reason.ACTIVE,
    *,
    ready: bool = True,
    end: datetime | None = None,
    ledger: list[LedgerEntry] | None = None,
    server: Mapping[str, Any] = SERVER,
    **status: Any,
) -> MCPConnection:
    end = end or now + 60 * DAY
    current = next((entry for entry in ledger or [] if entry.state is EntryState.CURRENT), None)
    expiry = {"credentialExpiryTime": rfc3339(current.expiry_time)} if current and current.expiry_time else {}
    return a_connection(
        name,
        status={
            "conditions": [a_ready_condition(reason, str(ready))],
            "leaseEndTime": rfc3339(end),
            "reviewDueTime": rfc3339(end - 14 * DAY),
            "ledger": [entry.to_wire() for entry in ledger or []],
            "server": dict(server),
            **expiry,
            **status,
        },
    )


def _entry(now: datetime, **fields: Any) -> LedgerEntry:
    return an_entry(9, **{"issued_time": now, "expiry_time": now + 10 * HOUR, **fields})


def _drift(now: datetime, level: str) -> dict[str, Any]:
    return {
        "liveDigest": DIGEST,
        "approvedDigest": DIGEST,
        "level": level,
        "sinceTime": rfc3339(now),
        "findings": [{"level": level, "kind": "ToolAdded"}],
    }
