"""The dashboard *Fleet*: what expires, who owes a review, what drifts, idles, is stopped or cannot say how it ends.

Most panels stand on the numbers by profile and team, which are there for fleets of any size. Those that name
connections stand on the connections' own series."""

from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import (
    COUNT,
    HALF,
    MOMENT,
    SECONDS,
    SHARE,
    Panel,
    bars,
    dashboard,
    lines,
    listing,
    number,
)

BY_TEAM = "The namespace is not considered."
NAMES = "Empty above 10,000 connections, which have no series of their own."


def fleet_dashboard() -> model.Dashboard:
    """As it is shipped."""
    return dashboard(
        "leasehold-fleet",
        "Leasehold / Fleet",
        "Who has access to what, until when, and who has to do something about it.",
        namespaces="leasehold_connection_ready",
        rows={
            "At a glance": _glance(),
            "What ends, and who owes a review": _reviews(),
            "State and drift": _state(),
            "Use": _use(),
            "Credentials": _credentials(),
            "Breakglass": _breakglass(),
            "Five questions": _questions(),
        },
    )


def _glance() -> list[Panel]:
    return [
        number(
            "Connections",
            f"All connections of the chosen teams and profiles. {BY_TEAM}",
            COUNT,
            "sum(leasehold_fleet_connections{@fleet}) or vector(0)",
        ),
        number(
            "May be used",
            f"The share of connections whose Ready is True. {BY_TEAM}",
            SHARE,
            """(sum(leasehold_fleet_connections{@fleet,ready="true"}) or vector(0))
            / sum(leasehold_fleet_connections{@fleet})""",
        ),
        number(
            "Reviews overdue",
            f"The lease is over, and only a review that approves the connection brings it back. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_reviews_owed{@fleet,urgency="overdue"}) or vector(0)',
            red_from=1,
        ),
        number(
            "End within 7 days",
            f"Connections whose lease ends within seven days unless a review renews it. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_leases_ending{@fleet,days="7"}) or vector(0)',
        ),
        number(
            "Dangerous or hostile drift",
            f"Connections whose server exposes something dangerous or hostile that nobody approved. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_drifted{@fleet,level=~"dangerous|hostile"}) or vector(0)',
            red_from=1,
        ),
        number(
            "Not proven dead",
            f"Generations that were revoked and are not proven dead yet. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_ledger_entries{@fleet,state=~"Revoking|Irrevocable"}) or vector(0)',
            red_from=1,
        ),
    ]


def _reviews() -> list[Panel]:
    return [
        bars(
            "Reviews owed, by team",
            f"""Due from 14 days before the end of the lease; soon overdue in its last third, three days at most;
            overdue when it is over. {BY_TEAM}""",
            COUNT,
            "sum by (team, urgency) (leasehold_fleet_reviews_owed{@fleet}) > 0",
            "{{team}}: {{urgency}}",
            HALF,
        ),
        lines(
            "Leases that end within 30 days, by team",
            f"How the work that lies ahead of each team grows and shrinks. {BY_TEAM}",
            COUNT,
            {"{{team}}": 'sum by (team) (leasehold_fleet_leases_ending{@fleet,days="30"})'},
            width=HALF,
            stack=True,
        ),
        listing(
            "Reviews that are due",
            f"The 50 connections in their review window whose lease ends first. {NAMES}",
            MOMENT,
            """bottomk(50, 1000 * leasehold_connection_lease_end_timestamp_seconds{@own}
            and on (namespace, name) (leasehold_connection_review_due_timestamp_seconds{@own} <= time()))""",
            "Lease ends",
        ),
        listing(
            "Reviewed longest ago",
            f"The 50 connections whose newest review is oldest; those that were never reviewed have none. {NAMES}",
            MOMENT,
            "bottomk(50, 1000 * leasehold_connection_last_review_timestamp_seconds{@own})",
            "Last review",
        ),
    ]


def _state() -> list[Panel]:
    return [
        lines(
            "Connections by state",
            f"By the reason of Ready: revoked, held, rejected, suspended, expired, idle, and so on. {BY_TEAM}",
            COUNT,
            {"{{reason}}": "sum by (reason) (leasehold_fleet_connections{@fleet})"},
            width=HALF,
            stack=True,
        ),
        bars(
            "Stopped, by why and team",
            f"Connections that may not be used now. {BY_TEAM}",
            COUNT,
            'sum by (reason, team) (leasehold_fleet_connections{@fleet,ready="false"})',
            "{{reason}}: {{team}}",
            HALF,
        ),
        lines(
            "Drift, by level",
            f"Connections whose server exposes what nobody approved, by the worst of it. {BY_TEAM}",
            COUNT,
            {"{{level}}": "sum by (level) (leasehold_fleet_drifted{@fleet})"},
            width=HALF,
            stack=True,
        ),
        listing(
            "What has drifted",
            f"How many differences each connection's server has to what was approved. {NAMES}",
            COUNT,
            "topk(50, leasehold_connection_drift_items{@own})",
            "Differences",
        ),
    ]


def _use() -> list[Panel]:
    return [
        number(
            "Idle",
            f"Connections that were not used for so long that they ended. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_connections{@fleet,reason="Idle"}) or vector(0)',
        ),
        number(
            "Never used",
            f"Connections whose use is watched, and none was ever seen. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_use{@fleet,use="never"}) or vector(0)',
        ),
        number(
            "Use not known",
            f"Connections for which no source of evidence tells of use. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_use{@fleet,use="unknown"}) or vector(0)',
        ),
        listing(
            "Used longest ago",
            f"The 50 connections whose last use is oldest; those that were never used have none. {NAMES}",
            MOMENT,
            "bottomk(50, 1000 * leasehold_connection_last_use_timestamp_seconds{@own})",
            "Last use",
        ),
        listing(
            "In use and not registered",
            """Labelled heartbeats by namespace that no connection stands for, or that name another server than
            their connection's; `leasehold list --shadow` names them. Team and profile are not considered.""",
            COUNT,
            "max by (namespace) (leasehold_shadow_connections{@here}) > 0",
            "Shadow connections",
        ),
    ]


def _credentials() -> list[Panel]:
    return [
        number(
            "Static credentials",
            f"Connections whose credential neither ends nor can be revoked. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_credential_types{@fleet,type="Static"}) or vector(0)',
            red_from=1,
        ),
        number(
            "Nothing minted",
            f"Connections that are records only: what their agents use was not issued here. {BY_TEAM}",
            COUNT,
            'sum(leasehold_fleet_credential_types{@fleet,type="None"}) or vector(0)',
        ),
        lines(
            "Credentials by how they end",
            f"Lease and Token are revoked, Expiring only runs out, Static does neither. {BY_TEAM}",
            COUNT,
            {"{{type}}": "sum by (type) (leasehold_fleet_credential_types{@fleet})"},
            stack=True,
        ),
        lines(
            "Generations by state of the ledger",
            f"Everything that may be alive. Revoking and Irrevocable should be short visits. {BY_TEAM}",
            COUNT,
            {"{{state}}": "sum by (state) (leasehold_fleet_ledger_entries{@fleet})"},
            stack=True,
        ),
        listing(
            "Credentials that expire first",
            f"The 50 current credentials with least time left; each is renewed at two thirds of its life. {NAMES}",
            MOMENT,
            "bottomk(50, 1000 * leasehold_connection_credential_expiry_timestamp_seconds{@own})",
            "Expires",
        ),
        listing(
            "Should be dead, and may work until",
            f"What was handed out and has ended, or has to, and until when it may still work. {NAMES}",
            MOMENT,
            "1000 * leasehold_connection_residual_exposure_timestamp_seconds{@own} > 1000 * time()",
            "May work until",
        ),
        listing(
            "Revocations that are late",
            f"Connections with a generation that had to end by now and is not proven dead. {NAMES}",
            SECONDS,
            "time() - leasehold_connection_revocation_due_timestamp_seconds{@own} > 0",
            "Late by",
        ),
        listing(
            "Largest ledgers",
            f"Connections with most generations that may be alive; at seven nothing is minted any more. {NAMES}",
            COUNT,
            "topk(20, leasehold_connection_ledger_entries{@own} > 2)",
            "Generations",
        ),
    ]


def _breakglass() -> list[Panel]:
    everywhere = "Of the whole fleet: team, profile and namespace are not considered."
    return [
        number(
            "Revocations in force",
            f"MCPRevocations that are not over. {everywhere}",
            COUNT,
            "max(leasehold_breakglass_active)",
            red_from=1,
        ),
        number(
            "Connections matched",
            f"How many connections they match, summed. {everywhere}",
            COUNT,
            "max(leasehold_breakglass_matched)",
        ),
        number(
            "Of those not verified dead",
            f"Matched connections of which something is not verified dead yet. {everywhere}",
            COUNT,
            "max(leasehold_breakglass_outstanding)",
            red_from=1,
        ),
        bars(
            "Why not dead yet",
            f"What could not be ended, by why. {everywhere}",
            COUNT,
            "max by (reason) (leasehold_breakglass_failures) or on () vector(0)",
            "{{reason}}",
            12,
        ),
    ]


def _questions() -> list[Panel]:
    return [
        bars(
            "Connections that cannot answer",
            f"""Owner: no person answers for it. Scope: the profile does not say what it allows. Expiry: its
            credential has no end. Reviewer: nobody has reviewed it. End: nothing is known that ends it.
            {BY_TEAM}""",
            COUNT,
            "sum by (question) (leasehold_fleet_unanswered{@fleet})",
            "{{question}}",
            HALF,
        ),
        listing(
            "Which team cannot answer what",
            f"The same by team, most first. {BY_TEAM}",
            COUNT,
            "topk(100, sum by (team, question) (leasehold_fleet_unanswered{@fleet}))",
            "Connections",
        ),
    ]
