"""What the operator learns of the cluster comes late, in pieces or not at all: watches are cut, refused or silent,
and objects are gone before anybody tells."""

import json
from collections.abc import Iterator

import pytest

from controlplane.waiting import wait_until
from crash.harms import kubernetes_refusal
from crash.proxy import LastWords
from crash.scenarios import FIRST_MINT, SUSPENSION, unsettled
from crash.world import CrashWorld, Subject
from leasehold.api.connection import LedgerEntry

SECONDS = 40
LOCK = "leasehold-ledger-finalizer"
LONG = 3600
"""No list comes before the test is over: only a watch can tell."""


@pytest.fixture
def subject(world: CrashWorld) -> Iterator[Subject]:
    """One connection to be, and a lane that serves nobody else."""
    [subject] = world.subjects("Lease", 1)
    lane = world.lane_of(subject)
    lane.scope = subject.scope
    yield subject
    world.end_operators()
    lane.rest()
    assert world.misconduct() == []


def works(world: CrashWorld, subject: Subject) -> bool:
    return not unsettled(FIRST_MINT.end, world.find(subject))


def ready(world: CrashWorld, subject: Subject) -> tuple[str, str]:
    """Reason and message of its Ready condition."""
    found = world.find(subject)
    conditions = found.status.conditions if found is not None else ()
    return next(((each.reason.value, each.message) for each in conditions if each.type == "Ready"), ("", ""))


def test_watches_that_are_cut_and_then_refused_are_begun_anew(world: CrashWorld, subject: Subject) -> None:
    lane = world.lane_of(subject)
    operator = world.operator(lane, resync_seconds=LONG)
    world.claim(subject)
    wait_until(lambda: works(world, subject), SECONDS, "the claim is seen")
    lane.watch_reply = kubernetes_refusal(410, "Expired")
    assert world.cut_watches(lane) >= 3
    refused = wait_until(lambda: lane.watches_refused, SECONDS, "a watch was begun anew")
    world.change(subject, suspend=True)
    lane.watch_reply = kubernetes_refusal(429, "TooManyRequests", Retry_After="1")
    wait_until(lambda: lane.watches_refused > refused + 3, SECONDS, "it was begun again and again")
    lane.watch_reply = None
    wait_until(lambda: not unsettled(SUSPENSION.end, world.find(subject)), SECONDS, "the edit is seen")
    operator.stop()


def test_watches_that_are_told_nonsense_are_begun_anew(world: CrashWorld, subject: Subject) -> None:
    """Nothing of it is more than a warning in the log: the fixture looks."""
    lane = world.lane_of(subject)
    operator = world.operator(lane, resync_seconds=LONG)
    world.claim(subject)
    wait_until(lambda: works(world, subject), SECONDS, "the claim is seen")
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd has no leader"}}
    told = json.dumps(error).encode() + b"\n"
    lane.watch_ends = [
        *(LastWords(told[:size]) for size in range(0, len(told), 4)),
        LastWords(told, cut=False),
        LastWords(told[:-9], cut=False),
        LastWords(b"null\n", cut=False),
        LastWords(b"<html>"),
        kubernetes_refusal(410, "Expired"),
        kubernetes_refusal(401, "Unauthorized"),
        kubernetes_refusal(500, "InternalError"),
    ]
    world.cut_watches(lane)
    wait_until(lambda: not lane.watch_ends, SECONDS, "watches have ended in each of these ways")
    world.change(subject, suspend=True)
    wait_until(lambda: not unsettled(SUSPENSION.end, world.find(subject)), SECONDS, "the edit is seen")
    operator.stop()


def test_a_watch_that_falls_silent_hides_nothing_for_long(world: CrashWorld, subject: Subject) -> None:
    lane = world.lane_of(subject)
    lane.watches_are_silent = True
    operator = world.operator(lane, resync_seconds=2)
    world.claim(subject)
    wait_until(lambda: works(world, subject), SECONDS, "the claim is seen")
    world.delete(subject)
    wait_until(lambda: world.find(subject) is None, SECONDS, "the deletion is seen")
    operator.stop()


def test_a_connection_that_was_torn_out_while_nobody_watched_loses_its_credential(
    world: CrashWorld, subject: Subject
) -> None:
    lane = world.lane_of(subject)
    operator = world.operator(lane, resync_seconds=2)
    world.claim(subject)
    wait_until(lambda: works(world, subject), SECONDS, "the claim is seen")
    [entry] = ledger(world, subject)
    lease = str(entry.lease_id).rpartition("/")[2]
    lane.watches_are_silent = True
    world.plane.kubectl("delete", "validatingadmissionpolicybinding", LOCK)
    try:
        patch = json.dumps({"metadata": {"finalizers": None}})
        command = ["patch", "mcpconnection", "agent", "--type=merge", f"--namespace={subject.namespace}"]
        world.delete(subject)
        wait_until(lambda: torn_out(world, subject, [*command, f"--patch={patch}"]), 20, "it is torn out")
    finally:
        world.deployment.restore_policies()
    wait_until(
        lambda: lease not in world.deployment.leases("database/creds/crash/"), SECONDS, "its lease is dead"
    )
    operator.stop()


def torn_out(world: CrashWorld, subject: Subject, command: list[str]) -> bool:
    world.plane.kubectl(*command, check=False)
    return world.find(subject) is None


def ledger(world: CrashWorld, subject: Subject) -> tuple[LedgerEntry, ...]:
    found = world.find(subject)
    assert found is not None
    return found.status.ledger


def test_a_profile_that_went_and_came_back_while_nobody_watched_is_found_both_times(
    world: CrashWorld, subject: Subject
) -> None:
    lane = world.lane_of(subject)
    operator = world.operator(lane, resync_seconds=2)
    world.claim(subject)
    wait_until(lambda: works(world, subject), SECONDS, "the claim is seen")
    lane.watches_are_silent = True
    path = f"/apis/leasehold.dev/v1alpha1/mcpserverprofiles/{subject.profile}"
    profile = world.admin.get(path)
    assert profile is not None
    world.admin.delete(path)
    wait_until(lambda: ready(world, subject)[0] == "InvalidSpec", SECONDS, "the deletion is seen")
    assert "ask the platform team to register the server" in ready(world, subject)[1]
    kept = {key: profile[key] for key in ("apiVersion", "kind", "spec")}
    world.admin.create(path.rpartition("/")[0], {**kept, "metadata": {"name": subject.profile}})
    wait_until(lambda: works(world, subject), SECONDS, "the registration is seen")
    [mint] = world.book.mints[subject.namespace]
    assert mint.status == 200, "what is valid is kept: nothing was minted anew"
    world.delete(subject)
    wait_until(lambda: world.find(subject) is None, SECONDS, "the deletion is seen")
    operator.stop()
