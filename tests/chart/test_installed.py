"""The chart on a real API server, installed by a real Helm: what it renders is accepted, what it allows is enough,
and what it leaves is what people need."""

import json
from collections.abc import Iterator

import pytest
import yaml
from helm_python import Chart, Config, HelmError

from chart.installed import Prepared, released, running
from chart.rendering import ACCOUNT, CHART, COMBINATIONS, NAMESPACE, Object, example, objects, the
from controlplane import Plane
from controlplane.gomodule import monitoring_definitions
from controlplane.launcher import ControlPlane
from controlplane.vaultsetup import setup_database_engine
from controlplane.waiting import wait_until
from e2e.claims import ORDERS, approve, the_secret, works
from leasehold.api.connection import MCPConnection
from leasehold.api.crd import KINDS
from leasehold.api.names import API_VERSION, FINALIZER, GROUP
from leasehold.api.revocation import MCPRevocation

DEFINITIONS = sorted(f"{kind.PLURAL}.{GROUP}" for kind in KINDS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Plane]:
    """One of our own, in which nothing of Leasehold ever was; it has the kinds of the Prometheus operator."""
    with ControlPlane() as plane:
        for path in monitoring_definitions():
            plane.kubectl("create", f"--filename={path}")
        for name in ("support", "shop", NAMESPACE):
            plane.kubectl("create", "namespace", name)
        setup_database_engine(plane.vault.api, plane.postgres, ttl_seconds=3600)
        yield plane


def team(prepared: Prepared, namespace: str, name: str) -> MCPConnection:
    """A claim on the sample database in a namespace that is there."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "agent", "namespace": namespace},
    }
    prepared.plane.apply(account)
    return prepared.connection(namespace, prepared.profile(ORDERS).metadata.name, name)


def stop_by_a_person(plane: Plane, name: str, connection: MCPConnection) -> MCPRevocation:
    """Somebody to whom nothing but the shipped role is bound throws the switch; the revocation once all is dead."""
    binding = ["create", "clusterrolebinding", "mcp-breakglass", "--clusterrole=leasehold-breakglass"]
    plane.kubectl(*binding, "--group=security")
    body = {
        "apiVersion": API_VERSION,
        "kind": MCPRevocation.KIND,
        "metadata": {"name": name},
        "spec": {
            "target": {"connection": connection.key},
            "reason": "the token was seen in a public log",
            "requestedBy": "security",
        },
    }
    create = ["create", "--filename=-"]
    wait_until(
        lambda: plane.kubectl(*create, user="security", input=json.dumps(body), check=False).returncode == 0,
        15,
        "the role is known, and the switch thrown",
    )
    plane.kubectl(
        "wait", f"mcprevocation/{name}", "--for=condition=Complete", "--timeout=30s", user="security"
    )
    found = plane.kubectl("get", "mcprevocation", name, "--output=json", user="security").stdout
    return MCPRevocation.model_validate_json(found)


def refused(plane: Plane, *arguments: str, said: str) -> bool:
    """Whether the API server refuses an administrator that command, in these words."""
    done = plane.kubectl(*arguments, check=False)
    return done.returncode != 0 and said in done.stderr


def test_every_object_of_every_documented_combination_is_accepted(cluster: Plane) -> None:
    distinct = {json.dumps(each): each for values in COMBINATIONS.values() for each in objects(values)}
    applied = cluster.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "--output=name",
        "--filename=-",
        input=yaml.safe_dump_all(distinct.values()),
    )
    assert len(applied.stdout.splitlines()) == len(distinct)
    assert {"servicemonitor", "deployment", "validatingadmissionpolicy"} <= {
        line.split(".")[0] for line in applied.stdout.splitlines()
    }


def test_the_pods_may_run_in_a_namespace_that_allows_nothing_special(cluster: Plane) -> None:
    cluster.kubectl("create", "namespace", "restricted")
    cluster.kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("create", "serviceaccount", ACCOUNT, "--namespace=restricted")
    cluster.kubectl("create", "priorityclass", "ours", "--value=1000")
    for values in COMBINATIONS.values():
        pod = a_pod(objects({**values, "priorityClassName": "ours"}))
        cluster.kubectl("create", "--dry-run=server", "--filename=-", input=json.dumps(pod))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    done = cluster.kubectl("create", "--dry-run=server", "--filename=-", input=json.dumps(pod), check=False)
    assert "violates PodSecurity" in done.stderr


def a_pod(rendered: list[Object]) -> Object:
    """As the Deployment would have it made, in another namespace."""
    template = the(rendered, "Deployment")["spec"]["template"]
    metadata = {"name": "leasehold", "namespace": "restricted", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_a_release_mints_and_revokes_and_leaves_its_definitions_and_whatever_is_in_them(
    cluster: Plane,
) -> None:
    with released(cluster, {}) as release:
        prepared = Prepared(cluster)
        with running(release):
            kept = prepared.wait_for(team(prepared, "shop", "kept"), "Active")
            stopped = prepared.wait_for(team(prepared, "support", "stopped"), "Active")
            secret = the_secret(prepared, stopped)
            assert works(cluster, secret)
            status = stop_by_a_person(cluster, "stop-support", stopped).status
            assert (status.matched, status.verified, status.failed) == (1, 1, 0)
            assert not works(cluster, secret)
            assert prepared.secret("support", "stopped") is None
            assert works(cluster, the_secret(prepared, kept))
            ended_with, said = release.doctor()
            assert ended_with == 0, said
        patch = ["patch", "mcpconnection", "kept", "--namespace=shop", "--type=merge", "--subresource=status"]
        assert refused(
            cluster, *patch, '--patch={"status":{"lastGeneration":7}}', said="Only Leasehold writes status"
        )
        assert refused(cluster, "delete", "mcprevocation", "stop-support", said="only after it was lifted")

        said = release.uninstall()

    for definition in DEFINITIONS:
        assert definition in said
    found = cluster.kubectl(
        "get", "crd", "--output=name", "--selector=app.kubernetes.io/part-of=leasehold"
    ).stdout
    assert sorted(line.split("/")[1] for line in found.splitlines()) == DEFINITIONS
    left = prepared.find("shop", "kept")
    assert left is not None
    assert left.metadata.finalizers == (FINALIZER,)
    assert left.status.ledger == kept.status.ledger
    assert works(cluster, the_secret(prepared, left)), "nobody ended it"
    gone = "deployment,service,serviceaccount,role,rolebinding,poddisruptionbudget,networkpolicy"
    owned = "--selector=app.kubernetes.io/part-of=leasehold"
    assert cluster.kubectl("get", gone, "--all-namespaces", owned, "--output=name").stdout == ""
    wide = "clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding"
    assert cluster.kubectl("get", wide, owned, "--output=name").stdout == ""


def test_with_namespaces_the_rest_is_left_alone_until_an_upgrade_takes_it_in(cluster: Plane) -> None:
    with released(cluster, example("namespaces")) as release:
        prepared = Prepared(cluster)
        elsewhere = prepared.namespace()
        outside = prepared.connection(elsewhere, prepared.profile(ORDERS).metadata.name, "outside")
        with running(release) as operator:
            ended = prepared.wait_for(team(prepared, "support", "ended"), "Active")
            secret = the_secret(prepared, ended)
            cluster.kubectl("delete", "mcpconnection", "ended", "--namespace=support")
            assert not works(cluster, secret)
            inside = prepared.wait_for(team(prepared, "support", "inside"), "Active")
            assert works(cluster, the_secret(prepared, inside))
            approve(prepared, inside)
            must_be_reviewed(prepared, inside)
            untouched = prepared.find(elsewhere, "outside")
            assert untouched is not None
            assert untouched.metadata.finalizers == ()
            assert untouched.metadata.resource_version == outside.metadata.resource_version
            assert operator.metric("leasehold_fleet_connections", reason="Active") >= 1
            ended_with, said = release.doctor("support", "shop")
            assert ended_with == 0, said
            assert release.doctor()[0] == 3, "it has no rights everywhere"
        before = definitions(cluster), prepared.find("support", "inside")

        release.upgrade({"replicas": 2})

        assert (definitions(cluster), prepared.find("support", "inside")) == before
        with running(release):
            taken_in = prepared.wait_for(outside, "Active")
            assert works(cluster, the_secret(prepared, taken_in))
            still = prepared.find("support", "inside")
            assert still is not None
            assert still.status.ledger == inside.status.ledger, "a restart mints nothing"


def must_be_reviewed(prepared: Prepared, connection: MCPConnection) -> None:
    """Wait until a review of the connection counts: both say so."""
    namespace = connection.metadata.namespace

    def review() -> str:
        now = prepared.find(namespace, connection.metadata.name)
        return now.status.approval.review if now is not None and now.status.approval is not None else ""

    name = wait_until(review, 30, f"a review of {connection.key} counts")
    wait = ["wait", f"mcprev/{name}", f"--namespace={namespace}", "--for=condition=Counted", "--timeout=30s"]
    prepared.plane.kubectl(*wait)


def definitions(plane: Plane) -> dict[str, str]:
    """The definitions by their names, with the identity that a deletion would change."""
    found = json.loads(plane.kubectl("get", "crd", *DEFINITIONS, "--output=json").stdout)
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found["items"]}


def test_everything_at_once_is_installed_and_a_second_release_is_refused(cluster: Plane) -> None:
    values = {**example("production"), **example("monitoring")}
    with released(cluster, values):
        for found in stored(cluster, objects({**values, "crds": {"enabled": False}})):
            operations = {each["operation"] for each in found["metadata"]["managedFields"]}
            assert operations == {"Apply"}, found["metadata"]["name"]
        rights = cluster.kubectl("get", "clusterrolebinding", "leasehold", "--output=json").stdout
        assert json.loads(rights)["subjects"][0]["name"] == ACCOUNT
        with pytest.raises(HelmError, match=r"invalid ownership metadata|cannot be imported"):
            install_second(cluster)


def stored(plane: Plane, wanted: list[Object]) -> list[Object]:
    """The objects as the API server has them, with who wrote what."""
    get = ["get", "--filename=-", "--output=json", "--show-managed-fields"]
    found: list[Object] = json.loads(plane.kubectl(*get, input=yaml.safe_dump_all(wanted)).stdout)["items"]
    assert len(found) == len(wanted)
    return found


def install_second(plane: Plane) -> None:
    """Another team's attempt, in a namespace of its own."""
    with (
        Config(kubeconfig_path=plane.kubeconfig("admin"), namespace="shop") as helm,
        Chart.load(CHART) as chart,
    ):
        helm.install(chart, "second", {}, namespace="shop")
