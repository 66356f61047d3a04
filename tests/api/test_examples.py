"""Whoever copies an example gets something that works."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpus_cases import BY_KIND
from crd_server import CrdServer, documents, files_below
from gitops.health import every_document
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.core.sealed import Sealed
from leasehold.core.secret_content import secret_content
from runbook import manifests

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = [
    EXAMPLES / "store.yaml",
    EXAMPLES / "revocation.yaml",
    EXAMPLES / "policy.yaml",
    EXAMPLES / "review.yaml",
    *files_below(EXAMPLES / "profiles"),
    *files_below(EXAMPLES / "connections"),
    *files_below(EXAMPLES / "adopting"),
]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))

CREDENTIALS = {
    "orders-postgres": {"username": "v-mcp-orders-1", "password": "A1a-b2"},
    "catalog-search": {"token": "eyJ.eyJ.sig", "client_id": "c", "ttl": "900"},
    "payments-mtls": {"certificate": "CERT\n", "private_key": "KEY", "issuing_ca": "CA"},
}


def example(folder: str, name: str) -> dict[str, Any]:
    return documents(EXAMPLES / folder / f"{name}.yaml")[0]


def secret_of(name: str) -> dict[str, str]:
    connection = MCPConnection.model_validate(example("connections", name))
    profile = MCPServerProfile.model_validate(example("profiles", name))
    return dict(secret_content(connection, profile, Sealed(CREDENTIALS[name]), {}).data.reveal())


@each_file
def test_an_example_is_valid_for_models_and_server(path: Path, crd_server: CrdServer) -> None:
    for document in documents(path):
        kind = BY_KIND[document["kind"]]
        metadata = document["metadata"] | ({"namespace": "default"} if kind.NAMESPACED else {})

        kind.model_validate(document)
        judgement = crd_server.judge(kind, {**document, "metadata": metadata})

        assert judgement.accepted, judgement.causes
        assert set(document["spec"]) <= set(judgement.stored["spec"])


@pytest.mark.parametrize(
    "body",
    [body for _, body in every_document() if body["kind"] in BY_KIND],
    ids=lambda body: f"{body['kind']}-{body['metadata']['name']}",
)
def test_what_a_git_tool_applies_is_valid_for_models_and_server(
    body: dict[str, Any], crd_server: CrdServer
) -> None:
    kind = BY_KIND[body["kind"]]
    metadata = body["metadata"] | ({"namespace": "default"} if kind.NAMESPACED else {})

    kind.model_validate(body)
    judgement = crd_server.judge(kind, {**body, "metadata": metadata})

    assert judgement.accepted, judgement.causes
    assert set(body["spec"]) <= set(judgement.stored["spec"])


@pytest.mark.parametrize("body", manifests(), ids=lambda body: body["metadata"]["name"])
def test_a_manifest_of_the_runbook_is_valid_for_the_server(
    body: dict[str, Any], crd_server: CrdServer
) -> None:
    kind = BY_KIND[body["kind"]]
    metadata = body["metadata"] | ({"namespace": "default"} if kind.NAMESPACED else {})

    judgement = crd_server.judge(kind, {**body, "metadata": metadata})

    assert judgement.accepted, judgement.causes
    assert set(body["spec"]) <= set(judgement.stored["spec"])


@pytest.mark.parametrize("path", files_below(EXAMPLES / "connections"), ids=lambda path: path.stem)
def test_a_connection_has_its_profile_and_its_store(path: Path) -> None:
    profile = MCPServerProfile.model_validate(example("profiles", path.stem))
    connection = MCPConnection.model_validate(documents(path)[0])

    assert connection.spec.profile == profile.metadata.name
    assert (connection.spec.output is None) == (profile.spec.credential is None)
    if profile.spec.credential is not None:
        assert profile.spec.credential.store_name == documents(EXAMPLES / "store.yaml")[0]["metadata"]["name"]


def test_the_postgresql_example_gives_a_dsn_and_an_env_file() -> None:
    data = secret_of("orders-postgres")

    assert data["dsn"].startswith("postgresql://v-mcp-orders-1:A1a-b2@")
    assert "PGPASSWORD=A1a-b2\n" in data["orders.env"]


def test_the_jwt_example_gives_the_configuration_of_an_mcp_client() -> None:
    server = json.loads(secret_of("catalog-search")["mcp.json"])["mcpServers"]["catalog"]

    assert server["url"] == "https://catalog-mcp.example.com/mcp"
    assert server["headers"] == {"Authorization": "Bearer eyJ.eyJ.sig"}


def test_the_certificate_example_gives_the_three_files_of_mutual_tls() -> None:
    data = secret_of("payments-mtls")

    assert (data["tls.crt"], data["tls.key"], data["ca.crt"]) == ("CERT\nCA\n", "KEY\n", "CA\n")
