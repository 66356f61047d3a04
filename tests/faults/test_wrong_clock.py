"""The operator's own clock is hours off: the API server's time decides, so nobody notices."""

from datetime import UTC, datetime, timedelta

import pytest

from controlplane.waiting import wait_until
from deployment import Deployment, Operator, operator_kubeconfig
from e2e.claims import claim, generations, the_secret, wait_generation, works
from leasehold.api.connection import EntryState


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_hours_off_changes_nothing(deployment: Deployment, hours: int) -> None:
    operator = Operator(
        operator_kubeconfig(deployment.plane),
        deployment.plane.workdir,
        lease_seconds=5,
        resync_seconds=2,
        standing_check_seconds=2,
        inspection_seconds=2,
    )
    operator.set_clock(ahead=timedelta(hours=hours)).start()
    told = datetime.fromisoformat(operator.logs()[0]["timestamp"])
    assert abs(told - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(hours=1), "its clock is off"
    claimed = claim(deployment, {"ttlSeconds": 15, "overlapSeconds": 1})
    [entry] = claimed.connection.status.ledger
    assert entry.expiry_time is not None
    assert abs(entry.expiry_time - datetime.now(UTC)) < timedelta(minutes=1)
    rotated = wait_generation(deployment, claimed.connection, 2)
    assert works(deployment.plane, the_secret(deployment, rotated))
    deployment.patch(claimed.connection, {"spec": {"suspend": True}})
    suspended = deployment.wait_for(claimed.connection, "Suspended")
    assert generations(suspended) == {}
    assert suspended.status.last_generation <= 3, "it rotated in time, and not all the time"
    deployment.patch(claimed.connection, {"spec": {"suspend": False}})
    active = deployment.wait_for(claimed.connection, "Active")
    assert list(generations(active).values()).count(EntryState.CURRENT) == 1
    deployment.plane.kubectl("delete", "mcpconnection", "--all", f"--namespace={claimed.namespace}")
    wait_until(lambda: deployment.secret(claimed.namespace) is None, 20, "the Secret is gone")
    assert operator.stop() == 0
    assert operator.complaints() == []
