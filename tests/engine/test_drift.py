"""A server that exposes something else than what was approved: what becomes of the connections to it."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.test_pem import a_certificate
from fakes.catalog import FakeCatalog
from fakes.world import LEASED, NAMESPACE, World
from leasehold.api.base import Condition, ObjectMeta
from leasehold.api.connection import Assurance, DriftLevel, MCPConnection
from leasehold.api.profile import Capability, CapturedSurface, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.surface import Surface, surface_digest
from mcp_surfaces import REFUND, SEARCH, a_surface, edited
from objects import a_connection, a_policy, a_profile
from virtual_time import in_virtual_time, passing

INTERVAL = 60
SOON = 10

FIRST = a_surface()
REWORDED = a_surface((edited(SEARCH, description="Searches the orders of everybody."), REFUND))
WRITING = a_surface((edited(SEARCH, annotations={"readOnlyHint": False}), REFUND))
HIDING = a_surface((edited(SEARCH, description="Searches.\U000e0041\U000e0042"), REFUND))
TITLED = a_surface((edited(SEARCH, title="Search orders"), REFUND))


class Shop:
    """A world whose server can be seen, and a connection to it."""

    def __init__(self, **spec: Any) -> None:
        self.world = World()
        self.catalog: FakeCatalog = self.world.catalog
        probe = {"intervalSeconds": INTERVAL}
        self.profile = self.world.people.change(self.world.profile, probe=probe, **spec)
        assert self.profile.spec.url is not None
        self.url = self.profile.spec.url
        self.reviews = 0

    async def opened(self, surface: Surface = FIRST) -> MCPConnection:
        """Exposes a surface, and somebody claims a connection."""
        self.exposes(surface)
        await self.world.start()
        claimed = self.world.claim()
        await passing(SOON)
        return claimed

    async def approved(self, surface: Surface = FIRST) -> MCPConnection:
        """And somebody approves it."""
        claimed = await self.opened(surface)
        await self.approve(claimed, surface)
        return claimed

    def exposes(self, surface: Surface) -> None:
        self.catalog.servers[self.url] = surface

    async def changes_to(self, surface: Surface) -> None:
        """The server changes, and is probed once more."""
        self.exposes(surface)
        await passing(INTERVAL + SOON)

    async def days_later(self, connection: MCPConnection, days: int) -> None:
        """The server's clock leaps, and somebody edits the connection, so that it is looked at."""
        self.world.clock.started += timedelta(days=days)
        self.world.people.edit(connection)
        await passing(SOON)

    async def approve(self, connection: MCPConnection, surface: Surface) -> None:
        self.reviews += 1
        body = {
            "metadata": {"name": f"review-{self.reviews}", "namespace": NAMESPACE},
            "spec": {
                "connection": connection.metadata.name,
                "reviewer": "alice@example.com",
                "decision": "Approve",
                "comment": "looked at it",
                "surfaceDigest": surface_digest(surface),
            },
        }
        self.world.people.create(MCPConnectionReview.model_validate(body))
        await passing(SOON)

    @property
    def stored(self) -> MCPServerProfile:
        found = self.world.people.find(self.profile)
        assert found is not None
        return found

    @property
    def surface(self) -> CapturedSurface:
        assert self.stored.status.surface is not None
        return self.stored.status.surface

    def audited(self) -> list[dict[str, Any]]:
        return [dict(record["data"]) for record in self.world.audit.records]

    def snapshots(self) -> set[str]:
        held = self.world.cluster.objects.values()
        return {each.spec.surface_digest for each in held if isinstance(each, MCPToolSnapshot)}

    def condition(self, of: MCPConnection | MCPServerProfile, kind: str) -> tuple[str, str]:
        found = self.world.people.find(of)
        assert found is not None
        told: Condition = next(each for each in found.status.conditions if each.type == kind)
        return told.status.value, told.reason.value


@in_virtual_time
async def test_a_surface_is_captured_soon_after_its_server_is_registered() -> None:
    shop = Shop()
    claimed = await shop.opened()
    assert shop.surface.digest == surface_digest(FIRST)
    assert (shop.surface.server_name, shop.surface.tools) == ("orders", 2)
    assert shop.snapshots() == {surface_digest(FIRST)}
    assert shop.condition(shop.profile, "Reachable") == ("True", "Captured")
    assert shop.condition(claimed, "Reachable") == ("True", "Captured")


@in_virtual_time
async def test_before_anything_is_approved_a_connection_works_and_says_so() -> None:
    shop = Shop()
    claimed = await shop.opened()
    assert shop.world.ready(claimed) == "Active"
    assert shop.world.secret_works()
    assert shop.condition(claimed, "DriftFree") == ("Unknown", "NoApprovedSurface")


@in_virtual_time
async def test_an_approved_surface_is_clean() -> None:
    shop = Shop()
    claimed = await shop.approved()
    assert shop.condition(claimed, "DriftFree") == ("True", "Clean")
    assert shop.world.find(claimed).status.drift is None


@in_virtual_time
async def test_git_approves_for_all_connections() -> None:
    shop = Shop(approvedSurface=surface_digest(FIRST))
    claimed = await shop.opened()
    assert shop.condition(claimed, "DriftFree") == ("True", "Clean")
    approval = shop.world.find(claimed).status.surface_approval
    assert approval is not None
    assert (approval.digest, approval.assurance) == (surface_digest(FIRST), Assurance.ASSERTED_BY_GIT)
    await passing(5 * INTERVAL)
    (told,) = [each for each in shop.audited() if each["action"] == "approve"]
    assert (told["reason"], told["assurance"], told["actor"]) == (
        "AssertedByGit",
        "AssertedByGit",
        "leasehold",
    )


@in_virtual_time
async def test_a_persons_word_counts_for_more_than_the_word_of_git() -> None:
    shop = Shop(approvedSurface=surface_digest(FIRST))
    claimed = await shop.approved()
    approval = shop.world.find(claimed).status.surface_approval
    assert approval is not None
    assert approval.assurance is Assurance.OWNER
    await shop.changes_to(REWORDED)
    assert shop.world.find(claimed).status.surface_approval is None
    shop.world.people.change(shop.stored, approvedSurface=surface_digest(REWORDED))
    await passing(SOON)
    approval = shop.world.find(claimed).status.surface_approval
    assert approval is not None
    assert approval.assurance is Assurance.ASSERTED_BY_GIT
    told = [(each["actor"], each["assurance"]) for each in shop.audited() if each["action"] == "approve"]
    assert told == [
        ("leasehold", "AssertedByGit"),
        ("alice@example.com", "Owner"),
        ("leasehold", "AssertedByGit"),
    ]


@in_virtual_time
async def test_drift_for_review_ends_the_credential_after_14_days() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(REWORDED)
    status = shop.world.find(claimed).status
    assert status.drift is not None
    assert status.drift.level is DriftLevel.REVIEW
    assert [(each.kind, each.item) for each in status.drift.findings] == [("DescriptionChanged", "search")]
    assert status.drift.deadline_time == shop.surface.captured_time + timedelta(days=14)
    assert shop.condition(claimed, "Ready") == ("True", "Drifted")
    assert shop.condition(claimed, "DriftFree") == ("False", "Drifted")
    await shop.days_later(claimed, 13)
    assert shop.world.secret_works()
    await shop.days_later(claimed, 1)
    assert shop.condition(claimed, "Ready") == ("False", "Drifted")
    assert not shop.world.leases()
    assert not shop.world.cluster.secrets


@in_virtual_time
async def test_an_approval_of_the_live_surface_restores() -> None:
    shop = Shop(onDrift={"dangerous": "Suspend"})
    claimed = await shop.approved()
    await shop.changes_to(WRITING)
    assert shop.condition(claimed, "Ready") == ("False", "Drifted")
    assert not shop.world.leases()
    await shop.approve(claimed, WRITING)
    assert shop.condition(claimed, "Ready") == ("True", "Active")
    assert shop.world.secret_works()
    assert shop.world.find(claimed).status.drift is None
    restored = [each for each in shop.audited() if each["action"] == "restore"]
    assert [(each["reason"], each["message"].partition(":")[0]) for each in restored] == [
        ("Approved", "it was Drifted")
    ]


@in_virtual_time
async def test_an_approval_of_another_surface_than_the_live_one_is_void() -> None:
    shop = Shop(onDrift={"dangerous": "Suspend"})
    claimed = await shop.approved()
    await shop.changes_to(WRITING)
    await shop.approve(claimed, FIRST)
    assert shop.condition(claimed, "Ready") == ("False", "Drifted")


@in_virtual_time
async def test_an_approval_that_names_no_surface_is_void_where_one_was_captured() -> None:
    shop = Shop()
    claimed = await shop.opened()
    body = {
        "metadata": {"name": "blind", "namespace": NAMESPACE},
        "spec": {
            "connection": claimed.metadata.name,
            "reviewer": "alice@example.com",
            "decision": "Approve",
            "comment": "did not look",
        },
    }
    said = shop.world.people.create(MCPConnectionReview.model_validate(body))
    await passing(SOON)
    judged = shop.world.people.find(said)
    assert judged is not None
    assert [(each.status, each.reason) for each in judged.status.conditions] == [("False", "AnotherSurface")]
    assert shop.world.find(claimed).status.approval is None


@in_virtual_time
async def test_the_era_that_was_spoken_is_asked_for_first_the_next_time_also_after_a_restart() -> None:
    shop = Shop()
    await shop.opened()
    await passing(INTERVAL)
    assert [each.era_hint for each in shop.catalog.asked[:2]] == [None, FIRST.era]
    assert await shop.world.engines[0].stop(5)
    shop.world.engines.clear()
    shop.catalog.asked.clear()
    await shop.world.start()
    await passing(INTERVAL)
    assert {each.era_hint for each in shop.catalog.asked} == {FIRST.era}


@in_virtual_time
async def test_profiles_that_were_registered_together_are_not_probed_together() -> None:
    shop = Shop()
    for number in range(20):
        other = shop.world.profile.to_wire()
        other["metadata"] = {"name": f"other-{number}"}
        other["spec"] |= {"url": f"https://other-{number}.example.com/mcp", "probe": {"intervalSeconds": 600}}
        profile = shop.world.people.create(MCPServerProfile.model_validate(other))
        shop.catalog.servers[profile.spec.url or ""] = FIRST
    await shop.world.start()
    await passing(SOON)
    shop.catalog.asked.clear()
    asked = []
    for _ in range(120):
        await passing(5)
        asked.append(len({each.url for each in shop.catalog.asked if each.url != shop.url}))
    assert asked[-1] == 20
    assert len(set(asked)) > 5


@in_virtual_time
async def test_a_server_that_goes_back_is_clean_again() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(REWORDED)
    await shop.changes_to(FIRST)
    assert shop.condition(claimed, "DriftFree") == ("True", "Clean")
    assert shop.condition(claimed, "Ready") == ("True", "Active")


@pytest.mark.parametrize(
    ("surface", "on_drift", "level", "ready"),
    [
        (WRITING, {}, DriftLevel.DANGEROUS, "True"),
        (WRITING, {"dangerous": "Suspend"}, DriftLevel.DANGEROUS, "False"),
        (HIDING, {}, DriftLevel.HOSTILE, "False"),
        (HIDING, {"hostile": "Alert"}, DriftLevel.HOSTILE, "True"),
        (REWORDED, {"dangerous": "Suspend"}, DriftLevel.REVIEW, "True"),
    ],
)
@in_virtual_time
async def test_the_profile_says_what_drift_does(
    surface: Surface, on_drift: dict[str, str], level: DriftLevel, ready: str
) -> None:
    shop = Shop(onDrift=on_drift)
    claimed = await shop.approved()
    await shop.changes_to(surface)
    drift = shop.world.find(claimed).status.drift
    assert drift is not None
    assert drift.level is level
    assert shop.condition(claimed, "Ready") == (ready, "Drifted")
    assert shop.world.secret_works() is (ready == "True")


@in_virtual_time
async def test_what_is_benign_passes() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(TITLED)
    assert shop.condition(claimed, "DriftFree") == ("True", "BenignDrift")
    assert shop.condition(claimed, "Ready") == ("True", "Active")


@in_virtual_time
async def test_a_server_that_changes_with_every_capture_wins_no_time() -> None:
    shop = Shop()
    claimed = await shop.approved()
    shop.exposes(REWORDED)
    for day in range(15):
        shop.exposes(a_surface((edited(SEARCH, description=f"Today is day {day}."), REFUND)))
        await passing(INTERVAL + SOON)
        await shop.days_later(claimed, 1)
    assert shop.condition(claimed, "Ready") == ("False", "Drifted")


@pytest.mark.parametrize(
    "fault",
    [
        TryLater(Reason.UNREACHABLE, "The server cannot be reached."),
        TryLater(Reason.TIMEOUT, "It is slow."),
        NeedsPerson(Reason.TOO_LARGE, "It is too large."),
        NeedsPerson(Reason.UNAUTHORIZED, "It wants another credential."),
    ],
    ids=lambda fault: fault.reason.value,
)
@in_virtual_time
async def test_a_failed_probe_is_neither_drift_nor_its_end(fault: Fault) -> None:
    shop = Shop()
    claimed = await shop.approved()
    shop.catalog.faults[shop.url] = fault
    await passing(2 * INTERVAL)
    assert shop.condition(shop.profile, "Reachable") == ("False", fault.reason.value)
    assert shop.condition(claimed, "Reachable") == ("False", fault.reason.value)
    assert shop.condition(claimed, "DriftFree") == ("True", "Clean")
    del shop.catalog.faults[shop.url]
    await shop.changes_to(REWORDED)
    drift = shop.world.find(claimed).status.drift
    shop.catalog.faults[shop.url] = fault
    await passing(2 * INTERVAL)
    assert shop.world.find(claimed).status.drift == drift
    assert shop.condition(claimed, "DriftFree") == ("False", "Drifted")


@in_virtual_time
async def test_what_does_not_change_is_not_written() -> None:
    shop = Shop()
    await shop.approved()
    version = shop.stored.metadata.resource_version
    asked = len(shop.catalog.asked)
    await passing(5 * INTERVAL)
    assert len(shop.catalog.asked) > asked
    assert shop.stored.metadata.resource_version == version
    shop.catalog.faults[shop.url] = TryLater(Reason.TIMEOUT, "after 3 s")
    await passing(2 * INTERVAL)
    version = shop.stored.metadata.resource_version
    shop.catalog.faults[shop.url] = TryLater(Reason.TIMEOUT, "after 4 s")
    await passing(5 * INTERVAL)
    assert shop.stored.metadata.resource_version == version


@in_virtual_time
async def test_snapshots_are_kept_while_they_are_live_or_approved() -> None:
    shop = Shop()
    claimed = await shop.approved(FIRST)
    await shop.changes_to(REWORDED)
    assert shop.snapshots() == {surface_digest(FIRST), surface_digest(REWORDED)}
    await shop.changes_to(WRITING)
    assert shop.snapshots() == {surface_digest(FIRST), surface_digest(WRITING)}
    await shop.approve(claimed, WRITING)
    await shop.changes_to(HIDING)
    assert shop.snapshots() == {surface_digest(WRITING), surface_digest(HIDING)}
    shop.world.people.delete(shop.stored)
    await passing(SOON)
    assert shop.snapshots() == set()


@in_virtual_time
async def test_drift_from_a_surface_that_was_never_captured_is_for_review() -> None:
    shop = Shop(approvedSurface=surface_digest(WRITING), onDrift={"dangerous": "Suspend"})
    claimed = await shop.opened()
    drift = shop.world.find(claimed).status.drift
    assert drift is not None
    assert drift.level is DriftLevel.REVIEW
    assert [each.kind for each in drift.findings] == ["SurfaceNotOnRecord"]


@in_virtual_time
async def test_another_server_that_exposes_the_same_is_drift_until_somebody_approves_it_anew() -> None:
    shop = Shop(onDrift={"dangerous": "Suspend"})
    claimed = await shop.approved()
    shop.catalog.issuers[shop.url] = "Somebody Else"
    await shop.changes_to(FIRST)
    drift = shop.world.find(claimed).status.drift
    assert drift is not None
    assert [each.kind for each in drift.findings] == ["CertificateIssuerChanged"]
    assert shop.condition(claimed, "Ready") == ("False", "Drifted")
    await shop.approve(claimed, FIRST)
    assert shop.condition(claimed, "Ready") == ("True", "Active")


@in_virtual_time
async def test_a_new_version_of_the_server_that_exposes_the_same_is_benign() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(replace(FIRST, server_info={"name": "orders", "version": "2.0"}))
    assert shop.condition(claimed, "DriftFree") == ("True", "BenignDrift")
    assert shop.surface.server_version == "2.0"


@in_virtual_time
async def test_a_server_is_probed_with_the_credential_of_the_connection_that_the_profile_names() -> None:
    shop = Shop()
    header = {"X-User": "{{ username }}"}
    probe = {"connection": f"{NAMESPACE}/orders", "headers": header, "intervalSeconds": INTERVAL}
    shop.world.people.change(shop.profile, probe=probe)
    await shop.opened()
    await passing(60)
    secret = shop.world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    assert shop.catalog.asked
    assert all(each.headers.reveal() == {"X-User": secret.data["username"]} for each in shop.catalog.asked)


@in_virtual_time
async def test_without_its_credential_a_server_is_not_probed_at_all() -> None:
    shop = Shop()
    header = {"X-User": "{{ username }}"}
    probe = {"connection": f"{NAMESPACE}/orders", "headers": header, "intervalSeconds": INTERVAL}
    shop.world.people.change(shop.profile, probe=probe)
    shop.exposes(FIRST)
    await shop.world.start()
    await passing(60)
    assert shop.catalog.asked == []
    assert shop.condition(shop.profile, "Reachable") == ("Unknown", "NoCredential")


@in_virtual_time
async def test_the_credential_of_another_profile_is_not_sent() -> None:
    shop = Shop()
    other = shop.world.profile.to_wire()
    other["metadata"] = {"name": "other"}
    probe = {"connection": f"{NAMESPACE}/orders", "headers": {"X-Password": "{{ password }}"}}
    other["spec"] |= {"url": "https://evil.example.com/mcp", "probe": probe}
    profile = shop.world.people.create(MCPServerProfile.model_validate(other))
    await shop.opened()
    await passing(60)
    assert shop.condition(profile, "Reachable") == ("Unknown", "InvalidSpec")
    assert {each.url for each in shop.catalog.asked} == {shop.url}


@in_virtual_time
async def test_the_audit_log_tells_of_drift_without_the_words_of_the_server() -> None:
    shop = Shop()
    await shop.approved()
    await shop.changes_to(WRITING)
    await passing(5 * INTERVAL)
    records = [record["data"] for record in shop.world.audit.records]
    (told,) = [each for each in records if each["action"] == "drift"]
    drift = told["drift"]
    assert (drift["liveDigest"], drift["approvedDigest"]) == (surface_digest(WRITING), surface_digest(FIRST))
    assert drift["level"] == "Dangerous"
    assert "/tools/search/annotations/readOnlyHint" in drift["paths"]
    assert "everybody" not in str(told)


@in_virtual_time
async def test_a_slow_server_holds_up_no_minting() -> None:
    shop = Shop()
    shop.catalog.seconds[shop.url] = 30.0
    shop.exposes(FIRST)
    await shop.world.start()
    for number in range(20):
        other = shop.world.profile.to_wire()
        other["metadata"] = {"name": f"slow-{number}"}
        shop.world.people.create(MCPServerProfile.model_validate(other))
    await passing(5)
    claimed = shop.world.claim()
    await passing(2)
    assert shop.world.ready(claimed) == "Active"
    assert len(shop.catalog.asked) == 4


@in_virtual_time
async def test_a_snapshot_that_cannot_be_read_holds_up_no_ending() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(REWORDED)
    before = shop.world.find(claimed).status.drift
    assert before is not None
    shop.world.cluster.fail("get", TryLater(Reason.CLUSTER_UNAVAILABLE, "it fails"), times=10**6)
    await shop.changes_to(WRITING)
    shop.world.people.change(shop.world.find(claimed), suspend=True)
    await passing(SOON)
    assert shop.world.ready(claimed) == "Suspended"
    assert not shop.world.leases()
    assert shop.world.find(claimed).status.drift == before


@in_virtual_time
async def test_a_connection_without_a_credential_is_waited_for() -> None:
    shop = Shop()
    header = {"X-User": "{{ username }}"}
    probe = {"connection": f"{NAMESPACE}/orders", "headers": header, "intervalSeconds": INTERVAL}
    shop.world.people.change(shop.profile, probe=probe)
    shop.exposes(FIRST)
    await shop.world.start()
    claimed = shop.world.claim(suspend=True)
    await passing(60)
    assert shop.catalog.asked == []
    assert shop.condition(shop.profile, "Reachable") == ("Unknown", "NoCredential")
    shop.world.people.change(shop.world.find(claimed), suspend=False)
    await passing(300)
    assert shop.surface.digest == surface_digest(FIRST)


@in_virtual_time
async def test_a_client_certificate_comes_from_the_secret_and_the_ca_from_the_profile() -> None:
    shop, pem = Shop(), a_certificate()
    certificate = {"certificateKey": "username", "keyKey": "password"}
    probe = {
        "connection": f"{NAMESPACE}/orders",
        "clientCertificate": certificate,
        "intervalSeconds": INTERVAL,
    }
    shop.world.people.change(
        shop.profile, probe={**probe, "caBundle": base64.b64encode(pem.encode()).decode()}
    )
    await shop.opened()
    await passing(60)
    secret = shop.world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    asked = shop.catalog.asked[-1]
    assert asked.ca_bundle == pem
    assert asked.client_certificate is not None
    assert asked.client_certificate.certificate == secret.data["username"]
    assert asked.client_certificate.key.reveal() == secret.data["password"]


@in_virtual_time
async def test_what_the_secret_does_not_have_is_said() -> None:
    for probe in (
        {"clientCertificate": {"certificateKey": "certificate", "keyKey": "private_key"}},
        {"headers": {"Authorization": "Bearer {{ token }}"}},
        {},
    ):
        shop = Shop()
        shop.world.people.change(shop.profile, probe={"connection": f"{NAMESPACE}/orders", **probe})
        await shop.opened()
        await passing(60)
        assert shop.catalog.asked == []
        status, reason = shop.condition(shop.profile, "Reachable")
        assert (status, reason in ("NoCredential", "InvalidSpec")) == ("Unknown", True)
        told = next(each for each in shop.stored.status.conditions if each.type == "Reachable")
        assert told.message.startswith("spec.probe.")


@in_virtual_time
async def test_a_command_is_never_probed() -> None:
    shop = Shop()
    wire = shop.profile.to_wire()
    wire["metadata"] = {"name": "local"}
    wire["spec"] |= {"transport": "Stdio", "command": ["orders-mcp"], "url": None, "probe": None}
    local = shop.world.people.create(MCPServerProfile.model_validate(wire))
    await shop.world.start()
    claimed = shop.world.people.create(
        a_connection(
            "local", namespace=NAMESPACE, spec={"profile": "local", "output": {"secretName": "local"}}
        )
    )
    await passing(60)
    assert [each for each in shop.catalog.asked if each.url != shop.url] == []
    assert shop.condition(local, "Reachable") == ("Unknown", "NotProbeable")
    assert shop.condition(claimed, "DriftFree") == ("Unknown", "NotProbeable")
    assert shop.world.ready(claimed) == "Active"


@in_virtual_time
async def test_a_restart_forgets_neither_a_surface_nor_since_when_it_has_drifted() -> None:
    shop = Shop()
    claimed = await shop.approved()
    await shop.changes_to(REWORDED)
    before = shop.world.find(claimed).status.drift
    assert await shop.world.engines[0].stop(5)
    shop.world.engines.clear()
    shop.catalog.faults[shop.url] = TryLater(Reason.UNREACHABLE, "The server cannot be reached.")
    await shop.world.start()
    await passing(2 * INTERVAL)
    assert shop.world.find(claimed).status.drift == before
    assert shop.condition(claimed, "DriftFree") == ("False", "Drifted")


@in_virtual_time
async def test_events_tell_of_each_drift_once_on_the_connection_and_of_each_surface_on_the_profile() -> None:
    shop = Shop()
    claimed = await shop.approved()
    for surface in (REWORDED, WRITING):
        await shop.changes_to(surface)
    await passing(5 * INTERVAL)
    told = [text for _, reason, text in shop.world.people.events(claimed) if reason == "Drifted"]
    assert [text.partition(" drift")[0] for text in told] == ["review", "dangerous"]
    captured = [text for _, reason, text in shop.world.people.events(shop.profile) if reason == "Captured"]
    for surface, text in zip((FIRST, REWORDED, WRITING), captured, strict=True):
        assert surface_digest(surface) in text
    assert "everybody" not in str(shop.world.people.events(claimed))


@in_virtual_time
async def test_an_edit_in_the_middle_of_a_probe_is_probed_soon() -> None:
    shop = Shop()
    shop.exposes(FIRST)
    shop.catalog.seconds[shop.url] = 20.0
    await shop.world.start()
    while not shop.catalog.asked:
        await passing(0.05)
    await passing(19.9)
    shop.world.people.change(shop.stored, probe={"intervalSeconds": 86400})
    await passing(20)
    assert len(shop.catalog.asked) == 2


@in_virtual_time
async def test_a_server_that_drifts_completes_a_combination_of_an_agent_that_uses_another_one_too() -> None:
    shop = Shop(capabilities=["ReadsPrivateData"])
    older = await shop.opened()
    world = shop.world
    url = "https://mail.example.com/mcp"
    mail = a_profile(path=LEASED).model_copy(update={"metadata": ObjectMeta(name="mail")})
    spec = mail.spec.model_copy(update={"url": url, "capabilities": (Capability.WRITES_OUTSIDE,)})
    world.people.create(mail.model_copy(update={"spec": spec}))
    younger = world.people.create(
        a_connection("mail", namespace=NAMESPACE, spec={"profile": "mail", "output": {"secretName": "mail"}})
    )
    trio = ["ReadsPrivateData", "TakesUntrustedContent", "WritesOutside"]
    policy = a_policy("trio", metadata={"uid": ""}, forbiddenCombinations=[{"capabilities": trio}])
    world.people.create(policy)
    await passing(SOON)
    assert [world.ready(each) for each in (older, younger)] == ["Active", "Active"]
    browsing = edited(SEARCH, annotations={"readOnlyHint": True, "openWorldHint": True})
    await shop.changes_to(a_surface((browsing, REFUND)))
    assert world.ready(older) == "Active"
    assert world.ready(younger) == "PolicyViolated"
    assert not world.secret_works("mail")
    await shop.changes_to(FIRST)
    assert [world.ready(each) for each in (older, younger)] == ["Active", "Active"]
