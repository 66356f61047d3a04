"""The page about imports names the kinds, clients and statuses that the code has."""

from pathlib import Path

from docs.test_docs import rows
from leasehold.core.import_files import CLIENTS
from leasehold.core.import_found import CredentialKind

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"


def test_every_kind_of_credential_is_documented_with_what_it_takes_to_replace_it() -> None:
    documented = rows(PAGE, "credential", "where it comes from", "revocable")
    assert [(kind.strip("`"), revocable) for kind, _, revocable in documented] == [
        (str(kind), str(kind.revocable)) for kind in CredentialKind
    ]


def test_every_file_of_a_client_is_documented() -> None:
    documented = rows(PAGE, "file", "client", "agent")
    assert [(file.strip("`"), client, agent.strip("`")) for file, client, agent in documented] == [
        (pattern, client.name, client.agent) for pattern, client in CLIENTS
    ]
