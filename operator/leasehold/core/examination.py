"""What `leasehold doctor` makes of what it has read: for each thing that an installation stands on, whether it is
there and as this version knows it, and what to do where it is not. Whoever reads says what could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from leasehold.api.base import ConditionStatus, Resource, rfc3339
from leasehold.api.crd import KINDS, custom_resource_definition
from leasehold.api.names import GROUP, VERSION
from leasehold.api.store import MCPCredentialStore
from leasehold.core.conditions import condition_of
from leasehold.core.installation import POLICIES, Right
from leasehold.core.leader import LeaderRecord

LARGEST_SKEW: Final = timedelta(seconds=10)
SHOWN: Final = 5


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    FINDING = "finding"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Checked:
    """One check: its name, what holds, and what to do about it."""

    check: str
    state: State
    words: str
    advice: str = ""


def good(check: str, words: str) -> Checked:
    """All is well."""
    return Checked(check, State.OK, words)


def bad(check: str, words: str, advice: str) -> Checked:
    """Something is wrong."""
    return Checked(check, State.FINDING, words, advice)


def unknown(check: str, words: str, advice: str = "") -> Checked:
    """It could not be told, which is not the same as well."""
    return Checked(check, State.UNKNOWN, words, advice)


def kinds(definitions: Mapping[type[Resource], Mapping[str, Any] | None]) -> Checked:
    """The resource definitions, which decide what can be written at all."""
    apply = (
        "operator, command and resource definitions have to be of one version: kubectl apply --server-side "
        "-f crds/ installs those of this command"
    )
    missing = [kind.KIND for kind in KINDS if definitions[kind] is None]
    if missing:
        return bad("kinds", f"not installed: {', '.join(missing)}", apply)
    waiting = [kind.KIND for kind in KINDS if not _is_established(definitions[kind] or {})]
    if waiting:
        return bad(
            "kinds", f"not established: {', '.join(waiting)}", "see their conditions: kubectl get crd -o yaml"
        )
    others = [kind.KIND for kind in KINDS if not _is_ours(kind, definitions[kind] or {})]
    if others:
        return bad("kinds", f"of another version than this command: {', '.join(others)}", apply)
    return good("kinds", f"{len(KINDS)} kinds of {GROUP}/{VERSION}, as this version has them")


def _is_established(definition: Mapping[str, Any]) -> bool:
    told = (definition.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in told)


def _is_ours(kind: type[Resource], definition: Mapping[str, Any]) -> bool:
    wanted = _version(custom_resource_definition(kind))
    found = _version(definition)
    parts = ("schema", "additionalPrinterColumns", "subresources", "selectableFields")
    return found.get("served") is True and all(found.get(part) == wanted.get(part) for part in parts)


def _version(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    versions = (definition.get("spec") or {}).get("versions") or ()
    return next((each for each in versions if each.get("name") == VERSION), {})


def rights(user: str, missing: Sequence[Right], surplus: Sequence[Right]) -> Checked:
    """What the operator may do: all that it needs, and to read no Secret."""
    if missing:
        listed = _some([str(each) for each in missing])
        return bad(
            "rights", f"{user} may not: {listed}", "apply charts/manifests/rbac.yaml, or the chart, anew"
        )
    if surplus:
        listed = _some([str(each) for each in surplus])
        return bad(
            "rights",
            f"{user} may, and should not: {listed}",
            "take it out of whatever role gives it; the operator reads no Secret",
        )
    return good("rights", f"{user} has every right that it needs, and reads no Secret")


def policies(
    found: Sequence[Mapping[str, Any]], bindings: Sequence[Mapping[str, Any]], operator_user: str
) -> Checked:
    """The admission policies: there, bound, denying, closed when they fail, and about this operator."""
    by_name = {each["metadata"]["name"]: each for each in found}
    denying = {
        str(each["spec"].get("policyName"))
        for each in bindings
        if "Deny" in (each["spec"].get("validationActions") or ()) and _binds_all(each["spec"])
    }
    faults = []
    for name, names_operator in POLICIES.items():
        policy = by_name.get(name)
        if policy is None:
            faults.append(f"{name} is missing")
        elif name not in denying:
            faults.append(f"{name} is bound by nothing that denies")
        elif policy["spec"].get("failurePolicy") == "Ignore":
            faults.append(f"{name} lets everything pass where it fails")
        elif names_operator and f"'{operator_user}'" not in str(policy["spec"].get("matchConditions")) + str(
            policy["spec"].get("validations")
        ) + str(policy["spec"].get("variables")):
            faults.append(f"{name} is about another account than {operator_user}")
    if faults:
        return bad("policies", _some(faults), "apply charts/manifests/admission.yaml, or the chart, anew")
    return good("policies", f"{len(POLICIES)} admission policies are bound and deny")


def _binds_all(spec: Mapping[str, Any]) -> bool:
    """Whether a binding leaves nothing out."""
    resources = spec.get("matchResources") or {}
    narrowed = resources.get("namespaceSelector") or resources.get("objectSelector")
    return not narrowed and not resources.get("excludeResourceRules") and not resources.get("resourceRules")


def policies_act(refused: bool | None) -> Checked:
    """Whether the API server really asks them: a revocation in a false name, as a dry run."""
    if refused is None:
        return unknown("policies in force", "not tried: that takes the right to create mcprevocations")
    if refused:
        return good("policies in force", "a revocation in a false name is refused (dry run)")
    return bad(
        "policies in force",
        "a revocation in a false name is accepted (dry run): the API server does not ask the policies",
        "see that the plugin ValidatingAdmissionPolicy is enabled, and apply charts/manifests/admission.yaml",
    )


def stores(found: Sequence[MCPCredentialStore], unreadable: Sequence[str]) -> list[Checked]:
    """Each store that is registered."""
    checked = [
        bad(f"store {key}", "this version cannot read it", "correct its spec, or upgrade")
        for key in unreadable
    ]
    for store in found:
        name, ready = f"store {store.metadata.name}", condition_of(store.status.conditions, "Ready")
        if ready is None:
            checked.append(bad(name, "the operator has said nothing of it yet", "see the check leader"))
        elif ready.status is not ConditionStatus.TRUE:
            advice = "the message says what to do; leasehold bootstrap vault --check tries a login"
            checked.append(bad(name, f"not Ready, {ready.reason}: {ready.message}", advice))
        else:
            checked.append(good(name, f"Ready at {store.spec.address}"))
    return checked or [good("stores", "none is registered: nothing is minted, connections are records")]


def clock(server: datetime | None, here: datetime) -> Checked:
    """All deadlines are by the API server's clock; who looks at times with another one is misled."""
    if server is None:
        return unknown("clock", "the API server says no time")
    skew = here - server
    if abs(skew) > LARGEST_SKEW:
        side = "ahead of" if skew > timedelta() else "behind"
        return bad(
            "clock",
            f"this machine is {abs(skew).total_seconds():.0f} s {side} the API server ({rfc3339(server)})",
            "have both follow one time source; leases, credentials and tokens end by the API server's clock, and "
            "Vault refuses tokens that are not valid yet by its own",
        )
    return good("clock", f"the API server says {rfc3339(server)}, and so does this machine")


def leader(record: LeaderRecord | None, now: datetime | None, where: str) -> Checked:
    """Whether some replica acts."""
    run = f"see the operator's pods and logs in namespace {where.partition('/')[0]}"
    if record is None:
        return bad("leader", f"there is no Lease {where}: no operator has ever led", run)
    claim = record.claim
    if not claim.holder or claim.renewed is None:
        return bad("leader", f"nobody holds Lease {where}", run)
    if now is None:
        return unknown(
            "leader", f"{claim.holder} holds Lease {where}, and no time is known to say since when"
        )
    silent = now - claim.renewed
    if silent > timedelta(seconds=claim.lease_seconds):
        return bad("leader", f"{claim.holder} has been silent for {silent.total_seconds():.0f} s", run)
    return good("leader", f"{claim.holder} leads")


def metrics(url: str, samples: Mapping[str, str], here: str) -> Checked:
    """What the metrics endpoint says of the process behind it; `samples` are series and values."""
    leading = samples.get("leasehold_leader")
    if leading is None:
        return bad(
            "metrics", f"{url} is no Leasehold's: it has no leasehold_leader", "name the operator's own port"
        )
    build = next((series for series in samples if series.startswith("leasehold_build_info{")), "")
    if f'version="{here}"' not in build:
        return bad(
            "metrics",
            f"{url} is of another version than this command, which is {here}: {build}",
            "upgrade the older one",
        )
    return good("metrics", f"{url} answers, and {'leads' if float(leading) == 1 else 'stands by'}")


def samples_of(exposition: str) -> dict[str, str]:
    """Series and values of a scrape."""
    lines = (line for line in exposition.splitlines() if line and not line.startswith("#"))
    return {series: value for series, _, value in (line.rpartition(" ") for line in lines)}


def _some(faults: Sequence[str]) -> str:
    more = len(faults) - SHOWN
    return "; ".join(faults[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
