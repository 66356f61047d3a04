"""What we take for a valid Secret is what a real API server takes for one."""

import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane import Plane
from leasehold.core.sealed import Sealed
from leasehold.core.secret_content import secret_annotations, secret_content
from leasehold.core.secret_keys import is_secret_key
from leasehold.core.templates import MAX_DATA_BYTES
from objects import NOON, a_connection, a_profile, an_entry

KEYS = ["a", "mcp.json", ".a", "-", "_", "a..b", "A-1_2.3", "x" * 253]
NO_KEYS = ["", ".", "..", "..a", "a/b", "a b", "ä", "x" * 254, "a\n"]


def refusal(plane: Plane, data: dict[str, str], annotations: dict[str, str] | None = None) -> str:
    """Why the API server would not create a Secret; empty where it would."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"generateName": "limits-", "namespace": "default", "annotations": annotations or {}},
        "data": {key: b64encode(value.encode()).decode() for key, value in data.items()},
    }
    done = plane.kubectl(
        "create", "--dry-run=server", "-f", "-", user="admin", input=json.dumps(secret), check=False
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:10])
def test_a_key_that_we_take_is_taken(plane: Plane, key: str) -> None:
    assert is_secret_key(key)
    assert refusal(plane, {key: "x"}) == ""


@pytest.mark.parametrize("key", NO_KEYS, ids=lambda key: repr(key[:10]))
def test_a_key_that_we_refuse_is_refused(plane: Plane, key: str) -> None:
    assert not is_secret_key(key)
    assert "Invalid value" in refusal(plane, {key: "x"})


@settings(max_examples=15, deadline=None)
@given(key=st.text(alphabet=st.sampled_from("./-_a0 ä"), max_size=4))
def test_any_key_is_judged_as_the_server_judges_it(plane: Plane, key: str) -> None:
    assert is_secret_key(key) == (refusal(plane, {key: "x"}) == "")


def test_the_largest_secret_that_we_build_is_taken(plane: Plane) -> None:
    words = {"summary": "ö" * 512, "ticket": "t" * 128}
    owner = {"user": "ö" * 256, "deputy": "ä" * 256, "team": "ö" * 128}
    connection = a_connection(spec={"purpose": words, "owner": owner})
    entry = an_entry(lease_id="l" * 1024, accessor="a" * 256, token_accessor="t" * 256)
    annotations = secret_annotations(connection, lease_end_time=NOON, entry=entry)
    fields = {"big": "x" * (MAX_DATA_BYTES - 3)}
    content = secret_content(connection, a_profile(), Sealed(fields), annotations)
    assert refusal(plane, dict(content.data.reveal()), dict(content.annotations)) == ""


def test_the_server_has_a_limit_above_ours(plane: Plane) -> None:
    assert "Too long" in refusal(plane, {"big": "x" * (1024 * 1024 + 1)})
