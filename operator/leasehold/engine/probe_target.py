"""With what a server is probed. What a server shows depends on who asks, so a credential that is missing is never
replaced by none: an anonymous listing would look like drift."""

from collections.abc import Mapping

from leasehold.api.connection import MCPConnection
from leasehold.api.pem import pem_from_bundle
from leasehold.api.profile import MCPServerProfile, Probe
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.probe import ClientCertificate, ProbeTarget
from leasehold.core.sealed import Sealed
from leasehold.core.templates import render
from leasehold.engine.inventory import Inventory
from leasehold.ports import Cluster

Data = Mapping[str, str]


class ProbeTargets:
    """Makes targets out of profiles, and of the Secrets that we wrote ourselves."""

    def __init__(self, cluster: Cluster, inventory: Inventory) -> None:
        self._cluster = cluster
        self._inventory = inventory

    async def target_of(self, profile: MCPServerProfile) -> ProbeTarget:
        """How to probe the server of a profile that has a URL.

        :raises NeedsPerson: the profile asks for what there is not, or its connection has no credential (yet)
        :raises Fault: the Secret could not be read
        """
        probe = profile.spec.probe or Probe()
        if probe.connection and not probe.headers and probe.client_certificate is None:
            raise NeedsPerson(
                Reason.INVALID_SPEC,
                "spec.probe.headers: say which headers carry the connection's credential, or set "
                "clientCertificate; leave connection out to probe anonymously.",
            )
        data = await self._secret_of(profile, probe.connection) if probe.connection else Sealed({})
        surface = profile.status.surface
        return ProbeTarget(
            url=profile.spec.url or "",
            transport=profile.spec.transport,
            headers=_headers(probe, data),
            ca_bundle=_ca_bundle(probe),
            client_certificate=_client_certificate(probe, data),
            era_hint=surface.era if surface is not None else None,
        )

    async def _secret_of(self, profile: MCPServerProfile, key: str) -> Sealed[Data]:
        connection = self._inventory.connections.get(key)
        if connection is None:
            raise _without_credential(f"there is no MCPConnection {key}")
        if connection.spec.profile != profile.metadata.name:
            # its credential is for another server, which alone may see it
            raise NeedsPerson(
                Reason.INVALID_SPEC,
                f"spec.probe.connection: {key} is a connection of profile {connection.spec.profile}; name one of "
                "this profile, for another server's credential is not sent here.",
            )
        secret = await self._published(connection)
        if secret is None:
            raise _without_credential(f"MCPConnection {key} has no Secret at present")
        return secret

    async def _published(self, connection: MCPConnection) -> Sealed[Data] | None:
        record = connection.status.secret
        if record is None:
            return None
        reading = await self._cluster.read_secret(connection.metadata.namespace, record.name)
        if reading is None or connection.metadata.uid not in reading.meta.owner_uids:
            return None
        return reading.data


def _without_credential(why: str) -> NeedsPerson:
    return NeedsPerson(
        Reason.NO_CREDENTIAL, f"spec.probe.connection: {why}, and without it nothing is probed."
    )


def _headers(probe: Probe, data: Sealed[Data]) -> Sealed[Data]:
    return Sealed(render(probe.headers, data.reveal(), "spec.probe.headers"))


def _ca_bundle(probe: Probe) -> str | None:
    if probe.ca_bundle is None:
        return None
    try:
        return pem_from_bundle(probe.ca_bundle)
    except ValueError as error:
        raise NeedsPerson(Reason.INVALID_SPEC, f"spec.probe.caBundle: {error}") from error


def _client_certificate(probe: Probe, data: Sealed[Data]) -> ClientCertificate | None:
    wanted = probe.client_certificate
    if wanted is None:
        return None
    fields = data.reveal()
    for field, key in (("certificateKey", wanted.certificate_key), ("keyKey", wanted.key_key)):
        if key not in fields:
            raise NeedsPerson(
                Reason.NO_CREDENTIAL,
                f"spec.probe.clientCertificate.{field}: the connection's Secret has no key {key}.",
            )
    return ClientCertificate(fields[wanted.certificate_key], Sealed(fields[wanted.key_key]))
