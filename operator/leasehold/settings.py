"""What an installation decides, from environment variables with the prefix `LEASEHOLD_`.

Everything else that could be set is decided here, once, for everybody."""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from leasehold.core.redaction import redacted

PREFIX = "LEASEHOLD_"
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class BadSettings(ValueError):
    """A variable that cannot be used; the message names it and says what would be right."""


def networks(given: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a list with commas between.

    :raises ValueError: one of them is none
    """
    return tuple(ip_network(part.strip()) for part in (given or "").split(",") if part.strip())


def namespaces(given: str | None) -> tuple[str, ...]:
    """The namespaces of a list with commas between, each once.

    :raises ValueError: one of them cannot be the name of a namespace
    """
    names = tuple(dict.fromkeys(part.strip() for part in (given or "").split(",") if part.strip()))
    for name in names:
        if not NAMESPACE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a namespace")
    return names


def _namespaces(given: str | None) -> str | None:
    if given is not None and not namespaces(given):
        raise ValueError("there is no namespace in it; leave it out for all namespaces")
    return given


def _networks(given: str | None) -> str | None:
    networks(given)
    return given


def _http_url(given: str | None) -> str | None:
    if given is None:
        return None
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write it as http://host:port or https://host:port/prefix, without a query")
    if "@" in parts.netloc:
        raise ValueError(f"name a file with a token in {PREFIX}PROMETHEUS_TOKEN_FILE, no user in the URL")
    return given.rstrip("/")


class Settings(BaseModel):
    """The operator's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kubeconfig: str | None = None
    """A kubeconfig; without it, the pod's own service account."""
    namespace: str = "leasehold-system"
    """The namespace of the operator's own service account."""
    service_account: str = "leasehold"
    """The operator's own service account, for which it asks its Vault login tokens."""
    watch_namespaces: Annotated[str | None, AfterValidator(_namespaces)] = None
    """The only namespaces whose connections are looked after, with commas between; without it, all of them."""
    listen_host: str = "0.0.0.0"  # noqa: S104  probes and scrapes come from other hosts
    """Where /metrics, /healthz and /readyz are."""
    listen_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """At which port; 0 takes a free one."""
    listen_tls_directory: str | None = None
    """A directory with `tls.crt` and `tls.key`, to serve them over TLS; it is read anew when it has changed."""
    audit_file: str | None = None
    """A file that gets the audit lines besides stdout."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """How much is logged."""
    workers: Annotated[int, Field(ge=1, le=256)] = 32
    """Connections that are worked on at once; a quarter as many more are kept for endings alone."""
    vault_requests_per_second: Annotated[float, Field(gt=0)] = 200.0
    """Logins per store and second, on average: what a Vault's quota allows."""
    resync_seconds: Annotated[float, Field(ge=1)] = 300.0
    """How often everything is listed and compared with what the watches told."""
    revocation_list_seconds: Annotated[float, Field(ge=1)] = 5.0
    """How often revocations are listed although no watch told of one."""
    standing_check_seconds: Annotated[int, Field(ge=1)] = 3600
    """How often the service account and the heartbeat of a connection are looked up; the latter more rarely for
    large fleets."""
    prometheus_url: Annotated[str | None, AfterValidator(_http_url)] = None
    """A Prometheus, or what speaks its HTTP API, that tells when connections were used last."""
    prometheus_query: str | None = None
    """What it is asked: a series for each connection, with the labels `namespace` and `name`, whose value is the
    time of the last use in unix seconds, or 0."""
    prometheus_token_file: str | None = None
    """A file with a bearer token for it, read anew each time."""
    prometheus_ca_file: str | None = None
    """PEM of the only CAs that it is believed with; without it, those that the system trusts."""
    inspection_seconds: Annotated[int, Field(ge=1)] = 300
    """How often a published Secret is touched and its credential looked up; longer for large fleets."""
    probe_workers: Annotated[int, Field(ge=0, le=64)] = 4
    """Servers that are probed at once; with 0 none is ever probed, and drift is not seen."""
    probe_allow_loopback: bool = False
    """Whether a probe may connect to the operator's own host: for tests, and for a server beside it."""
    probe_denied_networks: Annotated[str | None, AfterValidator(_networks)] = None
    """Networks that a probe never connects to, as CIDRs with commas between; metadata services and link-local
    addresses are refused anyway."""
    lease_seconds: Annotated[int, Field(ge=3)] = 15
    """How long a leader that has fallen silent keeps the lead from the replica that stands by."""
    lease_name: str = "leasehold"
    """The Lease in `namespace` by which replicas elect a leader; the shipped rights name this one."""
    stop_seconds: Annotated[float, Field(ge=1)] = 110.0
    """How long a stop waits for mints and revocations under way: longer than a store's maxRequestSeconds."""

    @model_validator(mode="after")
    def _a_url_goes_with_a_query(self) -> Self:
        if (self.prometheus_url is None) != (self.prometheus_query is None):
            raise ValueError(
                f"{PREFIX}PROMETHEUS_URL and {PREFIX}PROMETHEUS_QUERY go together: set both, or none"
            )
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """The settings that the environment gives.

        :raises BadSettings: a variable is not what it should be
        """
        given = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if environment.get(PREFIX + name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if not first["loc"]:
                raise BadSettings(first["msg"]) from error
            name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
            raise BadSettings(f"{name}: {first['msg']}, not {redacted(repr(first['input']))}") from error
