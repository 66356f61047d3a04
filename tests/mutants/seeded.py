"""The suite is tested too: one seeded mistake per dangerous step, and the test that has to notice it.

Each mistake is made in a copy, never in the work tree. A mistake whose place is not found any more is a failure,
for then nothing was tested. `python tests/mutants/seeded.py` tries all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "operator/leasehold/engine/"
ADAPTERS = "operator/leasehold/adapters/"
SECONDS = 180


@dataclass(frozen=True)
class Mutant:
    """A mistake: `right` is replaced by `wrong` in `file`; `noticed_by` is a file of tests and an expression."""

    step: str
    file: str
    right: str
    wrong: str
    noticed_by: tuple[str, str]


MUTANTS = (
    Mutant(
        "0 preflight: a foreign Secret is taken for ours",
        "operator/leasehold/core/preflight.py",
        "if probe.state is SecretState.FOREIGN:",
        "if False:",
        ("tests/engine/test_mints.py", "somebody_elses_secret"),
    ),
    Mutant(
        "1 login: a token that dies during the overlap is minted under",
        ENGINE + "mint.py",
        "if login.ttl_seconds <= needed:",
        "if login.ttl_seconds <= 0:",
        ("tests/engine/test_mints.py", "would_die_during_the_overlap"),
    ),
    Mutant(
        "2 intent: it is not written before the mint",
        ENGINE + "mint.py",
        "            await work.commit()\n            await work.hold()",
        "            await work.hold()",
        ("tests/engine/test_crashes.py", "first_mint"),
    ),
    Mutant(
        "2 finalizer: nothing holds the object while its ledger names something",
        ENGINE + "mint.py",
        "            await work.commit()\n            await work.hold()",
        "            await work.commit()",
        ("tests/engine/test_denials.py", "denial_while_vault_mints"),
    ),
    Mutant(
        "2 compare-and-swap: a ledger that somebody changed is written over",
        ENGINE + "work.py",
        "if _authority(fresh.status) not in expected:",
        "if False:",
        ("tests/engine/test_work.py", "test"),
    ),
    Mutant(
        "3 fence: revocations that were listed before are good enough",
        ENGINE + "gather.py",
        "        revocations = await self._book.refresh()\n",
        "        revocations = self._book.known\n",
        ("tests/engine/test_denials.py", "test"),
    ),
    Mutant(
        "4 mint: a standby that lost the active node is taken to have done nothing",
        ADAPTERS + "vault_answers.py",
        "if subject.repeatable else OutcomeUnknown(message)",
        "",
        ("tests/adapters/test_vault_adapter.py", "lost_the_active_node"),
    ),
    Mutant(
        "4 mint: an unknown outcome is taken for a refusal",
        ENGINE + "mint.py",
        """        except OutcomeUnknown as fault:
            self._reporter.mint_failed(work.connection, entry, fault)
            raise
        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise

    async def _read(""",
        """        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise

    async def _read(""",
        ("tests/engine/test_ambiguity.py", "test"),
    ),
    Mutant(
        "5 fence: nobody asks again before the Secret is written",
        ENGINE + "mint.py",
        """        await self._stop_if_denied(work, order, entry)
        meta = await""",
        "        meta = await",
        ("tests/engine/test_denials.py", "denial_while_vault_mints"),
    ),
    Mutant(
        "5 publish: a credential that could not be published is forgotten",
        ENGINE + "mint.py",
        """        self._reporter.mint_failed(work.connection, entry, because)
        try:""",
        """        self._reporter.mint_failed(work.connection, entry, because)
        work.set_ledger(ledger.without(work.ledger, [entry.generation]))
        return
        try:""",
        ("tests/engine/test_mints.py", "cannot_be_published"),
    ),
    Mutant(
        "6 current: the predecessor is dropped instead of retired",
        "operator/leasehold/core/ledger.py",
        'other.model_copy(update={"state": EntryState.RETIRING, "end_time": end})',
        'other.model_copy(update={"state": EntryState.RETIRING, "end_time": None})',
        ("tests/engine/test_mints.py", "works_for_the_overlap"),
    ),
    Mutant(
        "revocation: an end that is not written down yet is told with each try",
        ENGINE + "report.py",
        "        if ended in known:\n",
        "        if False:\n",
        ("tests/engine/test_told_in_numbers.py", "told_once"),
    ),
    Mutant(
        "revocation: Vault's answer is believed without a look-up",
        ENGINE + "revoke.py",
        "        raise TryLater(Reason.REVOCATION_PENDING, pending)\n",
        "        return\n",
        ("tests/engine", "backend_keeps_it or pending"),
    ),
    Mutant(
        "revocation: any Vault proves a death",
        ENGINE + "revoke.py",
        "if answering != entry.cluster_id:",
        "if False:",
        ("tests/engine/test_revoker.py", "test"),
    ),
    Mutant(
        "breakglass: whoever leaves the target is free",
        "operator/leasehold/core/revocations.py",
        "    matched = matched_by | {hold.uid for hold in connection.status.holds}\n",
        "    matched: frozenset[str] = frozenset()\n",
        ("tests/engine/test_breakglass.py", "leaving_the_target"),
    ),
    Mutant(
        "breakglass: a profile that is deleted frees whom its vendor means",
        "operator/leasehold/core/project.py",
        "    if o.profile is None:\n        return o.connection.status.server\n",
        "    if o.profile is None:\n        return None\n",
        ("tests/engine/test_breakglass.py", "profile_was_deleted"),
    ),
    Mutant(
        "breakglass: the vendor that a connection remembers does not count",
        "operator/leasehold/core/revocations.py",
        "all(server.vendor != target.vendor for server in servers)",
        "(profile is None or profile.spec.vendor != target.vendor)",
        ("tests/engine/test_breakglass.py", "profile_was_deleted"),
    ),
    Mutant(
        "breakglass: whom it matched is not written down before the first stroke",
        ENGINE + "breakglass.py",
        "        await self._reports.record(revocation, len(matched))\n",
        "",
        ("tests/engine/test_pending_holds.py", "hangs_holds_the_strokes_up"),
    ),
    Mutant(
        "breakglass: whoever joins a target is revoked before its hold is written",
        ENGINE + "reconcile.py",
        "if o.must_be_held_first and (plan.endings or plan.delete_secret):",
        "if False:",
        ("tests/engine/test_pending_holds.py", "nobody_escapes"),
    ),
    Mutant(
        "breakglass: a lift that comes before the hold is written frees",
        "operator/leasehold/core/revocations.py",
        "missing = (denied | matched_by) - {",
        "missing = denied - {",
        ("tests/engine/test_pending_holds.py", "before_the_holds_are_written"),
    ),
    Mutant(
        "breakglass: a recorded match that is not in view is taken for gone",
        ENGINE + "revocation_reports.py",
        "return unseen if unreadable else unseen & {each.metadata.uid for each in listed}",
        "return set()",
        ("tests/engine/test_recorded_matches.py", "not_in_view"),
    ),
    Mutant(
        "breakglass: a connection with no room for a hold passes for dead unseen",
        "operator/leasehold/core/revocation_standing.py",
        "(has_no_room(connection) and surveyed)",
        "has_no_room(connection)",
        ("tests/core/test_revocation_status.py", "no_place_is_not_waited_for"),
    ),
    Mutant(
        "breakglass: what may still work is forgotten where the hold has no place",
        "operator/leasehold/core/revocation_standing.py",
        "status.holds if has_no_room(connection) else ()",
        "()",
        ("tests/core/test_revocation_status.py", "others_remember"),
    ),
    Mutant(
        "breakglass: a revocation that was deleted is taken for lifted",
        "operator/leasehold/core/revocations.py",
        '"lifted_time": whole_seconds(now), "on_lift": OnLift.REQUIRE_REVIEW}',
        '"lifted_time": whole_seconds(now)}',
        ("tests/engine/test_breakglass.py", "deleting_a_revocation"),
    ),
    Mutant(
        "breakglass: an approval from before the lift frees",
        "operator/leasehold/core/revocations.py",
        "return approved_time is not None and approved_time > hold.lifted_time",
        "return approved_time is not None",
        ("tests/engine/test_reviews.py", "after_a_lift"),
    ),
    Mutant(
        "breakglass: a token that is gone proves its lease dead",
        ENGINE + "revoke.py",
        "dead = not alive and lease is None and await",
        "dead = not alive and await",
        ("tests/engine/test_breakglass.py", "backend_keeps"),
    ),
    Mutant(
        "breakglass: only a watch tells of a revocation",
        ENGINE + "breakglass.py",
        "async with asyncio.timeout(self._list_seconds):",
        "async with asyncio.timeout(None):",
        ("tests/engine/test_breakglass.py", "silent_watch"),
    ),
    Mutant(
        "breakglass: what cannot be read denies nothing",
        "operator/leasehold/core/checks.py",
        "    if unreadable is not None:\n",
        "    if False:\n",
        ("tests/engine/test_denials.py", "test"),
    ),
    Mutant(
        "lead: a fence does not ask for it",
        ENGINE + "fence.py",
        "if not self._leadership.is_leader:",
        "if False:",
        ("tests/engine/test_lost_lead.py", "lost_during or does_not_lead"),
    ),
    Mutant(
        "lead: it counts from the answer to a claim",
        ENGINE + "election.py",
        "until = sent + self.timing",
        "until = now + self.timing",
        ("tests/engine/test_election.py", "counts_from_when_the_claim_was_sent"),
    ),
    Mutant(
        "lead: it lasts as long as the lease",
        ENGINE + "election.py",
        "return self.lease_seconds * 2 / 3",
        "return self.lease_seconds * 1.2",
        ("tests/engine/test_election.py", "believes_no_longer_than_the_renew_deadline"),
    ),
    Mutant(
        "lead: a lease in one's name is enough, whoever answered",
        ENGINE + "election.py",
        "        self.record = record\n        self._certain = True\n",
        """        self.record = record
        self._certain = True
        if self.holder == self.identity:
            self._leads_until = now + self.timing.renew_deadline_seconds
""",
        ("tests/engine/test_election.py", "whose_answer_was_lost_counts_only_once"),
    ),
    Mutant(
        "lead: what another process has adopted is revoked by the one that lost the race",
        ENGINE + "reconcile.py",
        " and not ledger.names(theirs, entry)",
        "",
        ("tests/engine/test_lost_lead.py", "adopted"),
    ),
    Mutant(
        "probe: a name may lead to the operator's own machine",
        ADAPTERS + "mcp_http.py",
        "socket_factory=guard, ",
        "",
        ("tests/adapters/test_mcp_addresses.py", "points_home"),
    ),
    Mutant(
        "probe: the credential follows a redirect",
        ADAPTERS + "mcp_http.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/adapters/test_mcp_statuses.py", "redirect"),
    ),
    Mutant(
        "probe: the credential goes where an event stream says",
        ADAPTERS + "mcp_sse.py",
        "    if not same:",
        "    if False:",
        ("tests/adapters/test_mcp_sse.py", "other_origin"),
    ),
    Mutant(
        "probe: a list that could not be read is taken for empty",
        ADAPTERS + "mcp_listing.py",
        "return told.code == METHOD_NOT_FOUND and not listing.required",
        "return True",
        ("tests/adapters/test_mcp_eras.py", "templates_may_be_missing"),
    ),
    Mutant(
        "probe: what a server repeats of the credential is told",
        ADAPTERS + "mcp_credentials.py",
        "fault.message = fault.message.replace(secret.reveal(), REDACTED)",
        "pass",
        ("tests/adapters/test_mcp_credentials.py", "repeats_in_an_error"),
    ),
    Mutant(
        "drift: a deadline that has passed ends nothing",
        "operator/leasehold/core/checks.py",
        "    policy_is_violated,\n    surface_has_drifted,\n",
        "    policy_is_violated,\n",
        ("tests/engine/test_drift.py", "ends_the_credential_after_14_days"),
    ),
    Mutant(
        "drift: a probe that failed takes the last surface away",
        "operator/leasehold/core/captured.py",
        "status.surface if captured is None",
        "None if captured is None",
        ("tests/engine/test_drift.py", "a_failed_probe_is_neither"),
    ),
    Mutant(
        "drift: a server that changes again begins its time anew",
        "operator/leasehold/core/drift_standing.py",
        "return min(begun, before.since_time)",
        "return begun",
        ("tests/engine/test_drift.py", "wins_no_time"),
    ),
    Mutant(
        "policy: the time of a violation begins anew with each look",
        "operator/leasehold/core/policy.py",
        "goes_on = before is not None and before.effect is spec.effect",
        "goes_on = False",
        ("tests/engine/test_policies.py", "whichever_process_counts_it"),
    ),
    Mutant(
        "policy: a mint under way passes an obstacle of a policy",
        ENGINE + "fence.py",
        "finding.effect is Effect.NO_MINT and finding.reason in FORBIDDING",
        "finding.effect is Effect.NO_MINT and finding.reason is Reason.INVALID_SPEC",
        ("tests/engine/test_policies.py", "not_slipped_past"),
    ),
    Mutant(
        "policy: what nobody has judged can do nothing",
        "operator/leasehold/core/capabilities.py",
        "return ALL_CAPABILITIES",
        "return frozenset()",
        ("tests/core/test_policy.py", "nobody_has_judged"),
    ),
    Mutant(
        "policy: a server that changes is told to its own connections alone",
        ENGINE + "runtime.py",
        "self._add(self._with_peers(self._inventory.users_of_profile(profile.key)))",
        "self._add(self._inventory.users_of_profile(profile.key))",
        ("tests/engine/test_drift.py", "completes_a_combination"),
    ),
    Mutant(
        "policy: one that cannot be read counts as absent",
        "operator/leasehold/core/checks.py",
        "if not o.unreadable_policies or o.recipe is None",
        "if True or o.recipe is None",
        ("tests/engine/test_policies.py", "another_version"),
    ),
    Mutant(
        "idle: a deadline that has passed is enough, whatever its sources say",
        "operator/leasehold/core/use.py",
        "look is not None and look.is_steady and look.at >= exact",
        "look is not None and look.at >= exact",
        ("tests/core/test_use.py", "sequence_of_failures"),
    ),
    Mutant(
        "idle: one source that speaks is enough, while another one fails",
        ENGINE + "usage.py",
        "if words and not silences else None",
        "if words else None",
        ("tests/engine/test_use_watch.py", "heartbeats_that_cannot_be_read"),
    ),
    Mutant(
        "idle: who could not renew has no time to do so",
        ENGINE + "usage.py",
        "now - looked.steady_since >= period",
        "True",
        ("tests/engine/test_use_watch.py", "operator_that_was_away"),
    ),
    Mutant(
        "idle: time that nobody watched counts",
        "operator/leasehold/core/use.py",
        "_with(known, observed_since=None) if look.is_gone and known is not None else known",
        "known",
        ("tests/core/test_use.py", "comes_back_old"),
    ),
    Mutant(
        "idle: a heartbeat brings back what only a person may",
        "operator/leasehold/core/use.py",
        "approval is not None and approval.time >= record.idle_since",
        "record.last_used_time is not None and record.last_used_time >= record.idle_since",
        ("tests/engine/test_use_watch.py", "an_approval_brings_it_back"),
    ),
    Mutant(
        "shadows: what a URL carries of a credential is shown",
        "operator/leasehold/core/shadow.py",
        'return read_url(url).text.partition("?")[0]',
        "return url",
        ("tests/core/test_shadow.py", "without_anything_of_a_credential"),
    ),
    Mutant(
        "shadows: a list that failed says that there are none, and what was told is told again",
        ENGINE + "shadows.py",
        """            log.warning("heartbeats could not be listed", reason=fault.reason, why=fault.message)
            return
""",
        """            heartbeats = ()
""",
        ("tests/engine/test_shadow_watch.py", "look_that_fails"),
    ),
    Mutant(
        "owners: a directory that is not believed says that somebody has left",
        "operator/leasehold/core/owners.py",
        "return None if self.doubt is not None else folded(user) in self.active",
        "return folded(user) in self.active",
        ("tests/core/test_owners.py", "sequence_of_failures"),
    ),
    Mutant(
        "owners: most of them leave at once",
        "operator/leasehold/core/owners.py",
        "missing > max(FEW, len(people) / 2)",
        "missing > len(people)",
        ("tests/engine/test_owner_watch.py", "suddenly_lacks_most"),
    ),
    Mutant(
        "owners: anybody's approval takes an orphan over",
        "operator/leasehold/core/owners.py",
        "approval.reviewer != deputy or deputy == record.answering",
        "deputy == record.answering",
        ("tests/engine/test_owner_watch.py", "somebody_elses_does_not"),
    ),
    Mutant(
        "owners: one page of a longer list is the whole list",
        "operator/leasehold/core/owner_directory.py",
        "not isinstance(total, int) or total != len(found)",
        "not isinstance(total, int)",
        ("tests/core/test_owner_directory.py", "leaves_a_doubt"),
    ),
    Mutant(
        "probe: another server gets to see the credential",
        ENGINE + "probe_target.py",
        "if connection.spec.profile != profile.metadata.name:",
        "if False:",
        ("tests/engine/test_drift.py", "credential_of_another_profile"),
    ),
    Mutant(
        "drift: what was supplied for a command counts as seen",
        ENGINE + "prober.py",
        "await self._captures.took(profile, supplied, SUPPLIED)",
        'await self._captures.took(profile, supplied, (ConditionStatus.TRUE, Reason.CAPTURED, ""))',
        ("tests/engine/test_supplied_surfaces.py", "never_counts_as_seen"),
    ),
    Mutant(
        "snapshot: what somebody has approved is collected",
        ENGINE + "snapshots.py",
        "for digest in approved_digests(reviewed(connection, reviews), profile):",
        "for digest in ():",
        ("tests/engine/test_drift.py", "kept_while_they_are_live_or_approved"),
    ),
    Mutant(
        "snapshot: content that is not what its digest says is believed",
        "operator/leasehold/core/snapshot_content.py",
        "if digest_of(content) != spec.surface_digest:",
        "if False:",
        ("tests/core/test_drift_standing.py", "tampered_with"),
    ),
    Mutant(
        "import arguments: what nobody knows is shown",
        "operator/leasehold/core/import_arguments.py",
        "        return text if text in HARMLESS or NUMBER.match(text) or is_plain_path(text) else REDACTED",
        "        return text",
        ("tests/core/test_import_corpus.py", "no_secret_of_a_file"),
    ),
    Mutant(
        "import fingerprints: anybody can compute them",
        "operator/leasehold/core/import_values.py",
        "hmac.new(key, bare.encode",
        'hmac.new(b"leasehold", bare.encode',
        ("tests/core/test_import_discretion.py", "within_one_run"),
    ),
    Mutant(
        "import: profiles that may not be listed make everything a shadow",
        "operator/leasehold/core/import_registered.py",
        "            self._registered.are_all_profiles\n            and (",
        "            (",
        ("tests/core/test_import_registered.py", "neither_for_registered_nor_for_a_shadow"),
    ),
    Mutant(
        "command line: breakglass goes on although the target was not typed",
        "operator/leasehold/cli/breakglass.py",
        "    if typed.strip() != word:",
        "    if False:",
        ("tests/cli/test_breakglass_in_trouble.py", "unless_the_target_is_typed"),
    ),
    Mutant(
        "evidence: what a Vault does not tell is taken for dead",
        "operator/leasehold/cli/evidence_vault.py",
        "return _Answer(Found.UNKNOWN, self.now(), words=fault.message)",
        "return _Answer(Found.DEAD, self.now())",
        ("tests/cli/test_evidence_vault.py", "not_told_is_not_dead"),
    ),
    Mutant(
        "evidence: a token goes to whatever address a store in the cluster has",
        "operator/leasehold/cli/evidence_vault.py",
        "if store.spec.address not in tokens:",
        "if not tokens:",
        ("tests/cli/test_evidence_vault.py", "store_without_a_token"),
    ),
    Mutant(
        "audit: a leader without records of its own forgets where the chain before it ended",
        ENGINE + "elector.py",
        "audit_end=self._audit_end() or claim.audit_end",
        "audit_end=self._audit_end()",
        ("tests/engine/test_elector.py", "leaves_word_of_its_last_audit_record"),
    ),
    Mutant(
        "exposure: a connection goes before its end is on record",
        ENGINE + "reconcile.py",
        "                await self._exposures.leave(work.as_it_will_be)\n",
        "",
        ("tests/engine/test_exposures.py", "on_record_before"),
    ),
    Mutant(
        "exposure: a rejection goes with its connection",
        "operator/leasehold/core/former.py",
        "        if each.rejection is not None\n",
        "        if False and each.rejection is not None\n",
        ("tests/engine/test_exposures.py", "rejection_outlives"),
    ),
    Mutant(
        "exposure: an end that nobody saw needs no approval",
        "operator/leasehold/core/former.py",
        "        and each.last_generation != 0\n",
        "        and each.last_generation\n",
        ("tests/core/test_former.py", "looked_at_anew"),
    ),
    Mutant(
        "command line: a revocation whose answer was lost is given up",
        "operator/leasehold/cli/breakglass_clusters.py",
        "            if there is None or there.spec != wanted.spec:",
        "            if True:",
        ("tests/cli/test_breakglass_in_trouble.py", "answer_was_lost"),
    ),
)


def survives(mutant: Mutant) -> str | None:
    """Why the mistake went unnoticed; None where the suite noticed it."""
    with tempfile.TemporaryDirectory(prefix="leasehold-mutant-") as scratch:
        copy = Path(scratch)
        for part in ("operator", "tests", "examples", "charts", "crds"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        place = copy / mutant.file
        text = place.read_text()
        if text.count(mutant.right) != 1:
            return f"its place is there {text.count(mutant.right)} times in {mutant.file}"
        place.write_text(text.replace(mutant.right, mutant.wrong))
        tests, expression = mutant.noticed_by
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            tests,
            "-k",
            expression,
        ]
        environment = {**os.environ, "PYTHONPATH": f"{copy / 'operator'}{os.pathsep}{copy / 'tests'}"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    if done.returncode == 1:
        return None
    return f"pytest ended with {done.returncode}:\n{done.stdout[-1500:]}"


def main() -> int:
    """Try every mistake; the exit status is the number of those that nobody noticed."""
    unnoticed = 0
    for mutant in MUTANTS:
        why = survives(mutant)
        print(f"{'noticed ' if why is None else 'SURVIVED'}  {mutant.step}", flush=True)
        if why is not None:
            unnoticed += 1
            print(why)
    return unnoticed


if __name__ == "__main__":
    sys.exit(main())
