"""Manifests from files, directories or standard input, as Git holds them and as kubectl takes them: any mixture, of
which each command takes its part."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError

from leasehold.api.base import Resource
from leasehold.api.names import API_VERSION

R = TypeVar("R", bound=Resource)

EXTENSIONS: Final = (".json", ".yaml", ".yml")
"""What counts as a manifest in a directory, as with kubectl."""


class BadManifest(Exception):
    """A file cannot be read, or an object in it is not what it says; the message is for a person."""


def read_documents(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Every object in these files, in the manifests of these directories (not of those below them), and, for `-`,
    in standard input. Lists are opened.

    :raises BadManifest: a file cannot be read, or is no YAML; a directory has no manifest
    """
    documents: list[dict[str, Any]] = []
    for file in (each for given in files for each in _manifests(given)):
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text()
            for document in yaml.safe_load_all(text):
                documents.extend(_objects(document))
        except (OSError, UnicodeDecodeError) as error:
            raise BadManifest(f"{file} cannot be read: {error}") from error
        except yaml.YAMLError as error:
            raise BadManifest(f"{file} is no YAML: {error}") from error
    return documents


def of_kind(documents: Sequence[dict[str, Any]], kind: type[R]) -> list[R]:
    """The objects of one of our kinds.

    :raises BadManifest: one of them is not valid
    """
    return [
        _parsed(document, kind)
        for document in documents
        if document.get("kind") == kind.KIND and document.get("apiVersion") == API_VERSION
    ]


def _manifests(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    try:
        found = sorted(each for each in given.iterdir() if each.suffix in EXTENSIONS and not each.is_dir())
    except OSError as error:
        raise BadManifest(f"{given} cannot be read: {error}") from error
    if not found:
        raise BadManifest(f"{given} has no manifest: none of its files ends in {', '.join(EXTENSIONS)}")
    return found


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        return
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _objects(item)
    else:
        yield document


def _parsed(document: dict[str, Any], kind: type[R]) -> R:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        metadata = document.get("metadata")
        name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
        wrong = "; ".join(
            ".".join(str(part) for part in each["loc"]) + ": " + each["msg"] for each in error.errors()
        )
        raise BadManifest(f"{kind.KIND} {name}: {wrong}") from error
