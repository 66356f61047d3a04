"""What is saved is read back, and a file that is something else is refused with what would be right."""

import json
from typing import Any

import pytest
from hypothesis import given

from leasehold.core.surface import Identity, surface_digest
from leasehold.core.surface_saved import FORMAT, Saved, UnfitFile, from_saved, to_saved
from mcp_surfaces import SEARCH, a_surface, edited, surfaces
from strategies import EACH

HERE = Identity("https://orders.example.com", "Example CA")


def document(**changes: Any) -> dict[str, Any]:
    return {**json.loads(to_saved(a_surface(), HERE)), **changes}


def read(content: object) -> Saved:
    return from_saved(json.dumps(content).encode())


@EACH
@given(surfaces)
def test_a_saved_surface_is_read_back(surface: Any) -> None:
    for identity in (HERE, Identity("http://localhost:8080", None)):
        assert from_saved(to_saved(surface, identity).encode()) == Saved(surface, identity)


def test_a_saved_surface_says_its_format_and_digest_and_is_ascii() -> None:
    surface = a_surface([edited(SEARCH, description="Find\u200b\u202e", n=2**60 + 1)])
    text = to_saved(surface, HERE)
    assert text.isascii()
    assert json.loads(text)["format"] == FORMAT
    assert json.loads(text)["digest"] == surface_digest(surface)
    assert from_saved(text.encode()).surface.tools[0]["n"] == 2**60 + 1


def test_a_plain_listing_has_tools_and_no_identity() -> None:
    listing = read({"tools": [SEARCH], "_meta": {}, "nextCursor": None})
    assert listing.surface.tools == (SEARCH,)
    assert listing.is_listing
    assert not read(document()).is_listing


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no JSON object"),
        ("tools", "no JSON object"),
        ({}, "surface probe"),
        ({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}, "keep its result only"),
        ({"tools": {}}, "tools is no list"),
        ({"tools": [SEARCH, "x"]}, "no object"),
        ({"tools": [], "nextCursor": "x"}, "all pages"),
        (document(format="leasehold.dev/surface/v2"), FORMAT),
        (document(format=None), FORMAT),
        (document(digest="sha256:" + "0" * 64), "was edited"),
        (document(digest=None), "was edited"),
        (document(identity=None), "identity"),
        (document(identity={}), "origin"),
        (document(identity={"origin": 1}), "origin"),
        (document(identity={"origin": "https://a.example", "tlsIssuer": 1}), "tlsIssuer"),
        (document(surface=[]), "surface"),
        (document(surface={**document()["surface"], "tools": [SEARCH]}), "was edited"),
        (document(surface={**document()["surface"], "era": None}), "era"),
        (document(surface={**document()["surface"], "prompts": None}), "prompts"),
        (document(surface={**document()["surface"], "serverInfo": None}), "serverInfo"),
    ],
)
def test_a_file_that_is_something_else_is_refused_with_what_would_be_right(
    content: object, words: str
) -> None:
    with pytest.raises(UnfitFile, match=words):
        read(content)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"tools": [], "tools": []}', b'{"tools": [NaN]}'])
def test_what_is_no_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(UnfitFile, match="cannot be read"):
        from_saved(data)
