"""The dashboard *Operator*: whether the operator keeps up, and where it waits. Its own series are filtered by the
namespace that it runs in."""

from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import (
    BYTES,
    COUNT,
    HALF,
    PER_SECOND,
    SECONDS,
    SHARE,
    Panel,
    bars,
    dashboard,
    lines,
    listing,
    number,
)

RATE = "[$__rate_interval]"


def operator_dashboard() -> model.Dashboard:
    """As it is shipped."""
    return dashboard(
        "leasehold-operator",
        "Leasehold / Operator",
        "Whether the operator keeps up, and what it waits for: its queues, Vault, the API server, MCP servers.",
        namespaces="leasehold_build_info",
        rows={
            "At a glance": _glance(),
            "Queues and backlog": _queues(),
            "Mints and revocations": _work(),
            "Vault": _vault(),
            "API server": _cluster(),
            "Probes, reviews and records": _rest(),
            "Process": _process(),
        },
    )


def _rates(counter: str, by: str) -> str:
    return f"sum by ({by}) (rate({counter}{{@here}}{RATE}))"


def _slowest(metric: str, by: str, selector: str = "@here") -> str:
    return f"histogram_quantile(0.99, sum by (le, {by}) (rate({metric}_bucket{{{selector}}}{RATE})))"


def _glance() -> list[Panel]:
    return [
        number(
            "Leaders",
            "Replicas that act. Exactly one should.",
            COUNT,
            "sum(leasehold_leader{@here})",
        ),
        number(
            "Replicas",
            "Replicas that are scraped, those that stand by included.",
            COUNT,
            "count(leasehold_build_info{@here})",
        ),
        number(
            "Age of the inventory",
            "Since when the list of all objects was last known to be complete.",
            SECONDS,
            "max(leasehold_inventory_age_seconds{@here})",
        ),
        number(
            "Oldest in the queue",
            "How long the longest waiting object has waited, in any lane.",
            SECONDS,
            "max(leasehold_queue_oldest_age_seconds{@here})",
            red_from=60,
        ),
        number(
            "Verified within 60 s",
            "The share of the last day's revocations that were proven dead within a minute; 99 % is the objective.",
            SHARE,
            """sum(rate(leasehold_revocation_lag_seconds_bucket{@here,le="60.0"}[1d]))
            / sum(rate(leasehold_revocation_lag_seconds_count{@here}[1d]))""",
        ),
        number(
            "Audit records lost",
            "Records of the last day that did not reach one of their targets.",
            COUNT,
            "sum(increase(leasehold_audit_write_failures_total{@here}[1d]))",
            red_from=1,
        ),
    ]


def _queues() -> list[Panel]:
    return [
        lines(
            "Objects that wait, by lane",
            "Lanes in their order: breakglass, revoke, first_mint, rotate, probe, status.",
            COUNT,
            {"{{lane}}": "sum by (lane) (leasehold_queue_depth{@here})"},
            stack=True,
        ),
        lines(
            "Oldest that waits, by lane",
            "Breakglass and revoke have workers of their own, and should not wait for seconds.",
            SECONDS,
            {"{{lane}}": "max by (lane) (leasehold_queue_oldest_age_seconds{@here})"},
        ),
        lines(
            "Backlog: connections without what they should have",
            "Connections of the chosen teams and profiles that wait for a credential, or whose store is away.",
            COUNT,
            {
                "{{reason}}": """sum by (reason) (
                leasehold_fleet_connections{@fleet,reason=~"Pending|StoreUnavailable|LedgerFull"})
                or on () vector(0)"""
            },
        ),
        lines(
            "Passes, by how they ended",
            "One pass looks at one object; `ok`, or the reason for which it is tried again.",
            PER_SECOND,
            {"{{outcome}}": _rates("leasehold_reconcile_duration_seconds_count", "outcome")},
            stack=True,
        ),
        lines(
            "Slowest passes (p99)",
            "How long a pass takes, by how it ended.",
            SECONDS,
            {"{{outcome}}": _slowest("leasehold_reconcile_duration_seconds", "outcome")},
        ),
        lines(
            "Objects known, by kind",
            "What the inventory holds.",
            COUNT,
            {"{{kind}}": "max by (kind) (leasehold_inventory_objects{@here})"},
        ),
    ]


def _work() -> list[Panel]:
    return [
        lines(
            "Mints, by how they ended",
            "Succeeded, not begun, failed, refused, or unknown: an unknown one is settled later.",
            PER_SECOND,
            {"{{outcome}} {{reason}}": _rates("leasehold_mints_total", "outcome, reason")},
            stack=True,
        ),
        lines(
            "Revocations, by how they ended",
            "Attempts to end a generation; only verified means dead.",
            PER_SECOND,
            {"{{outcome}} {{reason}}": _rates("leasehold_revocations_total", "outcome, reason")},
            stack=True,
        ),
        lines(
            "From due to proven dead",
            "How long a revocable generation lived on after it had to end.",
            SECONDS,
            {
                "median": f"""histogram_quantile(0.5,
                sum by (le) (rate(leasehold_revocation_lag_seconds_bucket{{@here}}{RATE})))""",
                "p99": f"""histogram_quantile(0.99,
                sum by (le) (rate(leasehold_revocation_lag_seconds_bucket{{@here}}{RATE})))""",
            },
        ),
        lines(
            "Breakglass: until all was revoked, and verified (p99)",
            "From a revocation's creation until everything that it matches was revoked, or verified dead.",
            SECONDS,
            {"{{stage}}": _slowest("leasehold_breakglass_duration_seconds", "stage")},
        ),
    ]


def _vault() -> list[Panel]:
    return [
        listing(
            "Stores",
            "1 where the store can be used; else why not.",
            COUNT,
            "max by (store, reason) (leasehold_store_ready{@here})",
            "Ready",
        ),
        lines(
            "Leases that a store has given up revoking",
            "Whoever they belong to. Ours are forced by id, again and again.",
            COUNT,
            {"{{store}}": "max by (store) (leasehold_store_irrevocable_leases{@here})"},
            width=HALF,
        ),
        lines(
            "Requests that failed, by store and why",
            "The share of a store's requests that ended with this reason; a cancelled one was not waited for.",
            SHARE,
            {
                "{{store}}: {{outcome}}": f"""sum by (store, outcome) (
                rate(leasehold_vault_request_duration_seconds_count{{@here,outcome!~"ok|cancelled"}}{RATE}))
                / on (store) group_left ()
                sum by (store) (rate(leasehold_vault_request_duration_seconds_count{{@here}}{RATE}))"""
            },
        ),
        lines(
            "Requests, by operation",
            "What the stores are asked.",
            PER_SECOND,
            {"{{operation}}": _rates("leasehold_vault_request_duration_seconds_count", "operation")},
            stack=True,
        ),
        lines(
            "Slowest requests, by operation (p99)",
            "How long a store takes to answer.",
            SECONDS,
            {"{{operation}}": _slowest("leasehold_vault_request_duration_seconds", "operation")},
        ),
    ]


def _cluster() -> list[Panel]:
    return [
        lines(
            "Requests, by verb and outcome",
            "By status code; `look` is a patch that changes nothing.",
            PER_SECOND,
            {
                "{{verb}} {{outcome}}": _rates(
                    "leasehold_cluster_request_duration_seconds_count", "verb, outcome"
                )
            },
            width=HALF,
            stack=True,
        ),
        lines(
            "Slowest requests, by verb (p99)",
            "How long the API server takes to answer.",
            SECONDS,
            {"{{verb}}": _slowest("leasehold_cluster_request_duration_seconds", "verb")},
            width=HALF,
        ),
    ]


def _rest() -> list[Panel]:
    return [
        lines(
            "Probes, by outcome",
            "Readings of MCP servers: `ok`, or why one was not read to its end.",
            PER_SECOND,
            {"{{outcome}}": _rates("leasehold_probes_total", "outcome")},
            stack=True,
        ),
        bars(
            "Read longest ago",
            "Profiles whose server was last read to its end longest ago.",
            SECONDS,
            'topk(20, max by (profile) (leasehold_probe_age_seconds{@here,profile=~"$profile"}))',
            "{{profile}}",
        ),
        lines(
            "Found drifted, by level",
            "Connections that were found to have drifted, or to have drifted to something else.",
            PER_SECOND,
            {"{{level}}": _rates("leasehold_drift_events_total", "level")},
            stack=True,
        ),
        lines(
            "Reviews, by what became of them",
            "Counted, or why they are void.",
            PER_SECOND,
            {"{{decision}} {{reason}}": _rates("leasehold_reviews_total", "decision, reason")},
            stack=True,
        ),
        lines(
            "Evidence of use, by source and outcome",
            "Reads of heartbeats and of Prometheus: `ok`, `absent`, or why one could not be read.",
            PER_SECOND,
            {"{{source}} {{outcome}}": _rates("leasehold_use_polls_total", "source, outcome")},
            stack=True,
        ),
        lines(
            "Events that were not sent",
            "Kubernetes Events are for people; nothing leans on them.",
            PER_SECOND,
            {
                "{{why}}": f"sum by (why) (rate(leasehold_events_dropped_total{{@here}}{RATE})) or on () vector(0)"
            },
        ),
    ]


def _process() -> list[Panel]:
    return [
        lines(
            "Processor",
            "Cores that each replica uses.",
            COUNT,
            {
                "{{instance}}": f"""sum by (instance) (rate(process_cpu_seconds_total{{@here}}{RATE})
                and on (instance) leasehold_build_info)"""
            },
            width=HALF,
        ),
        lines(
            "Memory",
            "Resident memory of each replica.",
            BYTES,
            {
                "{{instance}}": """max by (instance) (process_resident_memory_bytes{@here}
                and on (instance) leasehold_build_info)"""
            },
            width=HALF,
        ),
    ]
