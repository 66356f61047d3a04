"""What an installation may decide: the one place that values.yaml, its schema and the tables are made from.

Every field is refused that is not here, so that a misspelled one never passes for a decision."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from leasehold.settings import Settings

DECIDED_BY_THE_CHART = {
    "kubeconfig",
    "namespace",
    "service_account",
    "lease_name",
    "listen_port",
    "listen_tls_directory",
    "prometheus_url",
    "prometheus_query",
    "prometheus_token_file",
    "prometheus_ca_file",
    "watch_namespaces",
    "audit_file",
    "owner_directory_file",
}
"""Settings that follow from where the chart installs what; a file for the audit has no place in its pods."""

Label = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")]
DnsLabel = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
SecretName = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Labels = dict[str, Label]
KubernetesObject = dict[str, Any]
"""What Kubernetes itself judges, as `kubectl explain` has it."""


class Part(BaseModel):
    """A group of values."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Image(Part):
    repository: str = Field("leasehold", min_length=1)
    """where the image is that you built from the Dockerfile"""
    tag: Annotated[str, Field(max_length=128, pattern=r"^[\w.-]*$")] = ""
    """its tag; empty is the chart's appVersion"""
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    """its digest, which wins over the tag"""
    pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"
    """when nodes pull it"""
    pull_secrets: tuple[SecretName, ...] = ()
    """names of Secrets to pull it with"""


class Crds(Part):
    enabled: bool = True
    """whether the release has the resource definitions; off where `crds/` is applied by other means"""
    keep: bool = True
    """whether they, and with them all connections, outlive the release"""


class Resources(Part):
    requests: dict[str, Quantity] = {"cpu": "100m", "memory": "192Mi"}
    """what a replica is given; ten thousand connections take about 300 MiB"""
    limits: dict[str, Quantity] = {"memory": "768Mi"}
    """what it may take; no limit of CPU, which would slow the switch down when it matters"""


class NetworkPolicy(Part):
    enabled: bool = True
    """whether nothing but the metrics port can be reached"""
    metrics_from: tuple[KubernetesObject, ...] = ()
    """from where, as peers of a NetworkPolicy; empty is from anywhere"""
    egress: tuple[KubernetesObject, ...] = ()
    """what may be reached, as egress rules; empty is everything. Name DNS, the API server, each Vault, and the MCP
    servers that are probed"""


class Tls(Part):
    secret_name: SecretName = ""
    """a Secret with `tls.crt` and `tls.key`, for metrics and probes over TLS; `ca.crt` too with a ServiceMonitor"""


class Evidence(Part):
    prometheus_url: Annotated[str, Field(pattern=r"^(https?://[^@?#]+)?$")] = ""
    """a Prometheus, or what speaks its HTTP API, that tells when connections were used last"""
    prometheus_query: str = ""
    """what it is asked: a series for each connection, with the labels `namespace` and `name`, whose value is the
    time of the last use in unix seconds, or 0"""
    token_secret_name: SecretName = ""
    """a Secret whose `token` is a bearer token for it"""
    ca_secret_name: SecretName = ""
    """a Secret whose `ca.crt` is the only CA that it is believed with"""


class Owners(Part):
    config_map_name: SecretName = ""
    """a ConfigMap that an identity job keeps, whose `directory` says which owners are still there"""


class ServiceMonitor(Part):
    enabled: bool = False
    """whether there is a ServiceMonitor, for the Prometheus operator"""
    interval: Annotated[str, Field(pattern=r"^[1-9][0-9]*(ms|s|m)$")] = "30s"
    """how often it scrapes"""
    labels: Labels = {}
    """what your Prometheus selects it by"""


class PrometheusRule(Part):
    enabled: bool = False
    """whether there is a PrometheusRule with the alerts"""
    labels: Labels = {}
    """what your Prometheus selects it by"""


class Dashboards(Part):
    enabled: bool = False
    """whether there is a ConfigMap with the Grafana dashboards"""
    labels: Labels = {"grafana_dashboard": "1"}
    """what Grafana's sidecar selects it by"""
    annotations: dict[str, str] = {}
    """what the sidecar reads besides, such as a folder"""


class Metrics(Part):
    tls: Tls = Tls()
    service_monitor: ServiceMonitor = ServiceMonitor()
    prometheus_rule: PrometheusRule = PrometheusRule()
    dashboards: Dashboards = Dashboards()


def _settings() -> type[Part]:
    """The operator's own settings; absent ones are empty, as in its environment."""
    fields: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if name in DECIDED_BY_THE_CHART:
            continue
        annotation: Any = str if field.default is None else field.annotation
        default = "" if field.default is None else field.default
        if isinstance(default, float) and default.is_integer():
            default = int(default)
        bounds = [each for each in field.metadata if not callable(getattr(each, "func", None))]
        kind = Annotated[annotation, *bounds] if bounds else annotation
        said = " ".join((field.description or "").split()).removesuffix(".")
        fields[name] = (kind, Field(default, description=said[:1].lower() + said[1:]))
    return create_model("OperatorSettings", __base__=Part, **fields)


OperatorSettings = _settings()


class Values(Part):
    image: Image = Image()
    replicas: Annotated[int, Field(ge=1, le=5)] = 2
    """of which one leads and the others stand by"""
    watch_namespaces: Annotated[tuple[DnsLabel, ...], Field(json_schema_extra={"uniqueItems": True})] = ()
    """the only namespaces with connections that the operator looks after, and has rights in; they have to exist.
    Empty is all of them"""
    settings: OperatorSettings = OperatorSettings()  # type: ignore[valid-type]
    evidence: Evidence = Evidence()
    owners: Owners = Owners()
    crds: Crds = Crds()
    resources: Resources = Resources()
    network_policy: NetworkPolicy = NetworkPolicy()
    metrics: Metrics = Metrics()
    pod_labels: Labels = {}
    """labels for the pods"""
    pod_annotations: dict[str, str] = {}
    """annotations for the pods"""
    priority_class_name: SecretName = ""
    """the pods' priority class: who stops agents should not be evicted first"""
    node_selector: Labels = {}
    """labels of nodes that may have the pods"""
    tolerations: tuple[KubernetesObject, ...] = ()
    """taints that the pods bear"""
