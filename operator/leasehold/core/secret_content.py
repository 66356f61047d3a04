"""What a connection's Secret holds: the credential as Vault named its fields, the agent's own configuration
files rendered from it, and on the outside who answers for it, until when, and which generation it is. After
a crash between the Secret and the ledger, those annotations are the only witness of what was handed out."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

from leasehold.api.base import rfc3339
from leasehold.api.connection import LedgerEntry, MCPConnection
from leasehold.api.names import SecretAnnotation, SecretLabel
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.deadlines import lease_end
from leasehold.core.facts import SecretContent
from leasehold.core.faults import NeedsPerson
from leasehold.core.sealed import Sealed
from leasehold.core.secret_keys import as_secret_key
from leasehold.core.templates import MAX_DATA_BYTES, render
from leasehold.core.text import has_surrogates, shortened

MAX_ANNOTATION_CHARS: Final = 256
"""For words of people. Accessors, lease ids and times are never cut: decisions are made from them."""


def secret_content(
    connection: MCPConnection,
    profile: MCPServerProfile,
    fields: Sealed[Mapping[str, str]],
    annotations: Mapping[str, str],
) -> SecretContent:
    """The Secret of one generation: raw fields and rendered templates; a template replaces a field of its
    key.

    :raises NeedsPerson: InvalidSpec: there is no output, or a template does not fit the credential;
        DoesNotFitType: the credential itself does not fit into a Secret
    """
    output = connection.spec.output
    if output is None:
        raise NeedsPerson(Reason.INVALID_SPEC, "spec.output is missing: name the Secret for the credential.")
    raw = _raw_data(fields.reveal())
    rendered = render(output.templates, template_context(connection, profile, fields).reveal())
    data = {**raw, **rendered}
    if _size(data) > MAX_DATA_BYTES:
        raise NeedsPerson(
            Reason.INVALID_SPEC,
            f"The fields of the credential and spec.output.templates together are larger than "
            f"{MAX_DATA_BYTES // 1024} KiB; shorten the templates, or use fewer of them.",
        )
    return SecretContent(
        namespace=connection.metadata.namespace,
        name=output.secret_name,
        labels=secret_labels(connection),
        annotations=dict(annotations),
        owner=connection,
        data=Sealed(data),
    )


def template_context(
    connection: MCPConnection, profile: MCPServerProfile, fields: Sealed[Mapping[str, str]]
) -> Sealed[Mapping[str, str]]:
    """What templates may name: every field whose name is an identifier (else with `_` for the odd
    characters, where that is unambiguous), and facts of the connection, which a field of that name cannot
    replace: Vault's answer shall not decide where an agent connects to."""
    values = fields.reveal()
    context: dict[str, str] = {}
    spellings = [(_identifier(field), field) for field in sorted(values) if not field.isidentifier()]
    for name in {name for name, _ in spellings}:
        candidates = [field for spelled, field in spellings if spelled == name]
        if len(candidates) == 1:
            context[name] = values[candidates[0]]
    context.update({field: value for field, value in values.items() if field.isidentifier()})
    context.update(
        server_url=profile.spec.url or "",
        server_transport=profile.spec.transport.value,
        profile_name=profile.metadata.name,
        connection_name=connection.metadata.name,
        connection_namespace=connection.metadata.namespace,
        agent_name=connection.spec.agent.name,
    )
    return Sealed(context)


def secret_labels(connection: MCPConnection) -> dict[str, str]:
    """The labels by which the admission policies know our Secrets. Never copied from the connection: a Git
    tool that finds its own label on a Secret deletes it."""
    return {
        SecretLabel.MANAGED_BY: SecretLabel.MANAGED_BY_VALUE,
        SecretLabel.CONNECTION_UID: connection.metadata.uid,
    }


def secret_annotations(
    connection: MCPConnection, *, lease_end_time: datetime | None, entry: LedgerEntry
) -> dict[str, str]:
    """All annotations of the Secret that holds this generation; what is not known is left out."""
    annotations: dict[str, str | None] = {
        **governance_annotations(connection, lease_end_time),
        SecretAnnotation.CONNECTION: connection.metadata.name,
        SecretAnnotation.PROFILE: connection.spec.profile,
        SecretAnnotation.GENERATION: str(entry.generation),
        SecretAnnotation.ACCESSOR: entry.accessor,
        SecretAnnotation.TOKEN_ACCESSOR: entry.token_accessor,
        SecretAnnotation.LEASE_ID: entry.lease_id,
        SecretAnnotation.ISSUED_TIME: _time(entry.issued_time),
        SecretAnnotation.CREDENTIAL_EXPIRY_TIME: _time(entry.expiry_time),
        SecretAnnotation.RESIDUAL_EXPOSURE_TIME: _time(entry.residual_time),
    }
    return {name: value for name, value in annotations.items() if value is not None}


def governance_annotations(
    connection: MCPConnection, lease_end_time: datetime | None
) -> dict[str, str | None]:
    """The annotations that change without a mint; None is what must not be there (any more)."""
    spec = connection.spec
    words = {
        SecretAnnotation.OWNER: spec.owner.user,
        SecretAnnotation.DEPUTY: spec.owner.deputy,
        SecretAnnotation.TEAM: spec.owner.team,
        SecretAnnotation.PURPOSE: spec.purpose.summary,
        SecretAnnotation.TICKET: spec.purpose.ticket,
    }
    return {
        **{
            name: None if said is None else shortened(said, MAX_ANNOTATION_CHARS)
            for name, said in words.items()
        },
        SecretAnnotation.LEASE_END_TIME: _time(lease_end_time),
    }


def published_annotations(connection: MCPConnection, entry: LedgerEntry) -> dict[str, str | None]:
    """Every annotation as the Secret of this generation should have it now; None is what must not be there."""
    end = lease_end(connection)
    return {
        **governance_annotations(connection, end),
        **secret_annotations(connection, lease_end_time=end, entry=entry),
    }


def data_digest(uid: str, data: Sealed[Mapping[str, str]]) -> str:
    """`sha256:…` by which a Secret's data is known again. Salted with the Secret's UID, so that equal
    credentials do not show as equal; every part is preceded by its length, so that no two contents are
    encoded alike."""
    hashed = sha256()
    for part in (uid, *_flat(data.reveal())):
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8) + encoded)
    return f"sha256:{hashed.hexdigest()}"


def _raw_data(fields: Mapping[str, str]) -> dict[str, str]:
    data: dict[str, str] = {}
    for field, value in fields.items():
        key = as_secret_key(field)
        said = shortened(key, 64)
        if key in data:
            raise NeedsPerson(
                Reason.DOES_NOT_FIT_TYPE,
                f"Two fields of the credential would both become the Secret's key '{said}'.",
            )
        if has_surrogates(value):
            raise NeedsPerson(
                Reason.DOES_NOT_FIT_TYPE, f"The credential's field '{said}' is not valid Unicode text."
            )
        data[key] = value
    if _size(data) > MAX_DATA_BYTES:
        raise NeedsPerson(
            Reason.DOES_NOT_FIT_TYPE,
            f"The credential alone is larger than {MAX_DATA_BYTES // 1024} KiB; a Secret cannot hold it.",
        )
    return data


def _identifier(field: str) -> str:
    name = "".join(character if character.isalnum() or character == "_" else "_" for character in field)
    return name if name.isidentifier() else f"_{name}"


def _size(data: Mapping[str, str]) -> int:
    return sum(len(part.encode()) for part in _flat(data))


def _flat(data: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(data):
        yield key
        yield data[key]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
