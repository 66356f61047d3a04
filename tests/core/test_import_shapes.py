"""Whatever stands where something else was expected: an import says so or passes over it, and never ends early."""

import json
from typing import Any, Final

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leasehold.core.import_files import read_file
from leasehold.core.import_manifests import Declared, as_manifests
from leasehold.core.import_report import rows, totals
from leasehold.core.import_values import keyed
from leasehold.core.import_workloads import WORKLOAD_KINDS, Workload, read_workloads
from leasehold.core.text import words

KEY: Final = keyed(b"key")
EACH: Final = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FIELDS: Final = sorted(
    words(
        """mcpServers servers mcp context_servers mcp_servers projects inputs id default name command args env url
        httpUrl serverUrl uri headers requestOptions type transport oauth auth enabled disabled settings apiKey
        http_headers env_http_headers bearer_token_env_var env_vars envFile path experimental
        modelContextProtocolServers Authorization API_KEY /home/alice"""
    )
)
TEXTS: Final = sorted(
    words(
        r"""npx -y docker run -e --header --api-key mcp-remote bash -c ${X} ${input:k} ${X:-y} $(X) Bearer
        https://a.example/mcp https://[::1]:80/ https://[zz]/ http:// ://x https://u:p@h:99999/x?y=z#w
        postgresql://u@h/d op://a/b /etc/x C:\x\y.cmd A=B --x=y -eA=B {"apiKey":1} [ ' \ %20 @x/y x@1 stdio sse"""
    )
)

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers(-3, 10**18) | st.floats(allow_nan=False) | texts
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=5)
    ),
    max_leaves=20,
)
entries = st.dictionaries(st.sampled_from(FIELDS), trees, max_size=6)
documents = st.dictionaries(
    st.sampled_from(FIELDS), st.dictionaries(texts, entries, max_size=3) | trees, max_size=3
)


@EACH
@given(document=documents | trees, name=st.sampled_from(["mcp.json", ".gemini/settings.json", "x.yaml"]))
def test_any_document_is_read_to_its_end(document: Any, name: str) -> None:
    text = yaml.safe_dump(document) if name.endswith("yaml") else json.dumps(document)
    found = read_file(name, text.encode("utf-8", "surrogatepass"), KEY)
    assert found.servers or found.unread or found.sources == 1
    assert totals(rows(found.servers, ""), 1).servers == len(found.servers)
    manifests = list(yaml.safe_load_all(as_manifests(found.servers, Declared())))
    assert sum(each["kind"] == "MCPConnection" for each in manifests) == len(found.servers)


@EACH
@given(data=st.binary(max_size=200), name=st.sampled_from(["mcp.json", "config.toml", "config.yaml", "x"]))
def test_any_bytes_are_read_or_told_to_be_unreadable(data: bytes, name: str) -> None:
    found = read_file(name, data, KEY)
    assert found.servers or found.unread


variables = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["MCP_URL", "MCP_TOKEN", "X"])},
        optional={
            "value": texts | documents.map(json.dumps),
            "valueFrom": st.sampled_from(
                [
                    {"secretKeyRef": {"name": "s", "key": "k"}},
                    {"configMapKeyRef": {"name": "m", "key": "mcp.json"}},
                    {"fieldRef": {"fieldPath": "metadata.name"}},
                ]
            ),
        },
    ),
    max_size=3,
)
containers = st.fixed_dictionaries(
    {"name": st.just("c")},
    optional={
        "env": variables,
        "args": st.lists(texts, max_size=5),
        "command": st.lists(texts, max_size=3),
        "envFrom": st.just([{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}]),
    },
)


@EACH
@given(
    of_pod=st.lists(containers, min_size=1, max_size=2),
    kind=st.sampled_from(WORKLOAD_KINDS),
    text=texts | documents.map(json.dumps),
)
def test_any_workload_is_read_to_its_end(of_pod: list[Any], kind: Any, text: str) -> None:
    body: dict[str, Any] = {"containers": of_pod, "volumes": [{"name": "v", "configMap": {"name": "m"}}]}
    for key in reversed(kind.pod):
        body = {key: body}
    workload = Workload(kind, {**body, "metadata": {"name": "w", "namespace": "n"}})
    found = read_workloads([workload], {("n", "m"): {"mcp.json": text, "MCP_URL": text}}, KEY)
    assert found.sources == 2
    assert all(server.user.agent == "w" for server in found.servers)
    as_manifests(found.servers, Declared())
