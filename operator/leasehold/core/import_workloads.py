"""The workloads of a cluster as agents: each with the servers that its containers are told to use, by variables,
arguments and the ConfigMaps that they mount."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from leasehold.core.import_containers import ConfigMaps, Container, environment, servers_of
from leasehold.core.import_files import ANY, Import, client_of, read_document, syntax_of
from leasehold.core.import_found import Place, Unread, User
from leasehold.core.import_sightings import Variable
from leasehold.core.import_syntax import UnfitText, parsed
from leasehold.core.import_values import Fingerprint

_MAY_HOLD_SERVERS: Final = re.compile(
    r"mcpServers|mcp_servers|context_servers|\"servers\"\s*:|modelContextProtocolServers"
)


@dataclass(frozen=True)
class WorkloadKind:
    """A kind that runs pods, and where in it the pod is described."""

    name: str
    resource: str
    group: str
    pod: tuple[str, ...]


TEMPLATE: Final = ("spec", "template", "spec")
WORKLOAD_KINDS: Final = (
    WorkloadKind("Deployment", "deployments", "apis/apps/v1", TEMPLATE),
    WorkloadKind("StatefulSet", "statefulsets", "apis/apps/v1", TEMPLATE),
    WorkloadKind("DaemonSet", "daemonsets", "apis/apps/v1", TEMPLATE),
    WorkloadKind("CronJob", "cronjobs", "apis/batch/v1", ("spec", "jobTemplate", *TEMPLATE)),
    WorkloadKind("Job", "jobs", "apis/batch/v1", TEMPLATE),
    WorkloadKind("Pod", "pods", "api/v1", ("spec",)),
)
CONFIG_MAP: Final = WorkloadKind("ConfigMap", "configmaps", "api/v1", ())

_MADE_BY_ANOTHER: Final = {"Pod": None, "Job": "CronJob"}
"""What a pod's owner says is said there; of a Job only what its CronJob says."""


@dataclass(frozen=True)
class Workload:
    """One object of one of these kinds, as the API server lists it."""

    kind: WorkloadKind
    body: Mapping[str, Any]

    @property
    def source(self) -> str:
        """As in `deployment/support/triage`."""
        return f"{self.kind.name.lower()}/{self.namespace}/{self.name}"

    @property
    def namespace(self) -> str:
        """Where it lives."""
        return str(self.body["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.body["metadata"]["name"])

    @property
    def is_made_by_another(self) -> bool:
        """Whether another listed object says the same."""
        if self.kind.name not in _MADE_BY_ANOTHER:
            return False
        maker = _MADE_BY_ANOTHER[self.kind.name]
        owners = self.body["metadata"].get("ownerReferences") or ()
        return any(maker in (None, owner.get("kind")) for owner in owners)

    @property
    def pod(self) -> Mapping[str, Any]:
        """The description of its pods."""
        found: Any = self.body
        for key in self.kind.pod:
            found = found.get(key) or {}
        return found if isinstance(found, dict) else {}


def read_workloads(
    workloads: Sequence[Workload], config_maps: ConfigMaps, fingerprint: Fingerprint
) -> Import:
    """The servers of all workloads, and of ConfigMaps that no workload uses."""
    found = Import(sources=len(workloads) + len(config_maps))
    used: set[tuple[str, str]] = set()
    for workload in workloads:
        if not workload.is_made_by_another:
            found += _read_workload(workload, config_maps, used, fingerprint)
    for namespace, name in config_maps:
        if (namespace, name) not in used:
            user = User(name, CONFIG_MAP.name, namespace)
            found += _read_config_map(namespace, name, config_maps, user, {}, fingerprint)
    return found


def _read_workload(
    workload: Workload, config_maps: ConfigMaps, used: set[tuple[str, str]], fingerprint: Fingerprint
) -> Import:
    pod = workload.pod
    account = str(pod.get("serviceAccountName") or "default")
    user = User(workload.name, workload.kind.name, workload.namespace, account)
    place = Place(workload.source).under(*workload.kind.pod)
    found = Import(unread=tuple(_in_secrets(pod, place)))
    variables: dict[str, Variable] = {}
    for field in ("initContainers", "containers"):
        for number, spec in enumerate(pod.get(field) or ()):
            container = Container(spec, user, place.under(field, number))
            own = environment(container, config_maps)
            variables.update(own)
            found += servers_of(container, own, fingerprint)
    for name in dict.fromkeys(_config_maps_of(pod)):
        used.add((workload.namespace, name))
        found += _read_config_map(workload.namespace, name, config_maps, user, variables, fingerprint)
    return found


def _read_config_map(
    namespace: str,
    name: str,
    config_maps: ConfigMaps,
    user: User,
    variables: Mapping[str, Variable],
    fingerprint: Fingerprint,
) -> Import:
    found = Import()
    source = f"configmap/{namespace}/{name}"
    for key, text in config_maps.get((namespace, name), {}).items():
        if not _MAY_HOLD_SERVERS.search(text):
            continue
        try:
            document = parsed(text, syntax_of(key, text)).value
        except UnfitText as error:
            found += Import(unread=(Unread(f"{source}#/data/{key}", error.message, error.line),))
            continue
        place = Place(source).under("data", key)
        read = read_document(document, place, ANY, fingerprint, workload=user, outer=variables)
        found += read or Import()
    return found


def _config_maps_of(pod: Mapping[str, Any]) -> Iterator[str]:
    for volume in pod.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            config = source.get("configMap") or {}
            if config.get("name"):
                yield str(config["name"])
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for source in container.get("envFrom") or ():
            if source.get("configMapRef"):
                yield str(source["configMapRef"].get("name"))
        for variable in container.get("env") or ():
            config = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            if config:
                yield str(config.get("name"))


def _in_secrets(pod: Mapping[str, Any], place: Place) -> Iterator[Unread]:
    """Configurations that a pod mounts from a Secret: what they hold is not known here."""
    for number, volume in enumerate(pod.get("volumes") or ()):
        secret = volume.get("secret") or {}
        paths = [str(item.get("path")) for item in secret.get("items") or ()]
        for container in pod.get("containers") or ():
            for mount in container.get("volumeMounts") or ():
                if mount.get("name") == volume.get("name"):
                    paths += [str(mount.get("subPath") or ""), str(mount.get("mountPath") or "")]
        if secret and any(client_of(path) is not None for path in paths):
            where = place.under("volumes", number)
            yield Unread(
                f"{where.source}#{where.pointer}",
                f"its servers are in Secret {secret.get('secretName')}; Secrets are not read: look there yourself",
            )
