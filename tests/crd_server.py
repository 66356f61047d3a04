"""The real API server as a judge of objects: every question is a dry run with unknown fields dropped."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controlplane import Plane
from controlplane.httpcall import Answer, call
from controlplane.waiting import wait_until
from leasehold.api.base import Resource
from leasehold.api.crd import KINDS
from leasehold.api.names import GROUP, VERSION

CRDS = Path(__file__).parents[1] / "crds"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DRY_RUN = "dryRun=All&fieldValidation=Ignore"
FOR_REAL = "fieldValidation=Ignore"


@dataclass(frozen=True)
class Judgement:
    """What the server said; `causes` are (field, message) pairs, empty where the object was accepted."""

    stored: Mapping[str, Any]
    causes: tuple[tuple[str, str], ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.causes


class CrdServer:
    """An API server that has our definitions."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def install(self) -> None:
        """Apply the definitions of `crds/`, and wait until their objects are served."""
        for path in sorted(CRDS.glob("*.yaml")):
            self._plane.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={path}")
        wait_until(self._serves_all, 30, "all kinds are served")

    def definition(self, kind: type[Resource]) -> Mapping[str, Any]:
        """The definition as the server has it, with its conditions."""
        return self._stored(self._call("GET", f"{DEFINITIONS}/{kind.PLURAL}.{GROUP}"))

    def judge(self, kind: type[Resource], wanted: Mapping[str, Any]) -> Judgement:
        """The verdict on creating this object."""
        return self._judged(self._call("POST", f"{self._collection(kind, wanted)}?{DRY_RUN}", wanted))

    def judge_step(
        self, kind: type[Resource], before: Mapping[str, Any], after: Mapping[str, Any], *, status: bool
    ) -> Judgement:
        """The verdict on updating the one to the other, or its status."""
        with self.existing(kind, before) as stored:
            metadata = {
                **after["metadata"],
                "resourceVersion": stored["metadata"]["resourceVersion"],
            }
            path = self._path(kind, before) + ("/status" if status else "")
            return self._judged(self._call("PUT", f"{path}?{DRY_RUN}", {**after, "metadata": metadata}))

    @contextmanager
    def existing(self, kind: type[Resource], wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The object exists, for real, while the block runs."""
        created = self._call("POST", f"{self._collection(kind, wanted)}?{FOR_REAL}", wanted)
        try:
            yield self._stored(created)
        finally:
            self._call("DELETE", self._path(kind, wanted))

    def _call(self, method: str, path: str, body: object = None) -> Answer:
        server = self._plane.apiserver
        bearer = {"Authorization": f"Bearer {self._plane.token()}"}
        return call(method, server.url + path, headers=bearer, body=body, ca=server.ca_path)

    def _collection(self, kind: type[Resource], wanted: Mapping[str, Any]) -> str:
        namespace = f"/namespaces/{wanted['metadata']['namespace']}" if kind.NAMESPACED else ""
        return f"/apis/{GROUP}/{VERSION}{namespace}/{kind.PLURAL}"

    def _path(self, kind: type[Resource], wanted: Mapping[str, Any]) -> str:
        return f"{self._collection(kind, wanted)}/{wanted['metadata']['name']}"

    def _serves_all(self) -> bool:
        names = [f"/apis/{GROUP}/{VERSION}/{kind.PLURAL}?limit=1" for kind in KINDS]
        return all(self._call("GET", name).status == 200 for name in names)

    def _stored(self, answer: Answer) -> Mapping[str, Any]:
        assert answer.status in (200, 201), answer.text
        found: Mapping[str, Any] = answer.json()
        return found

    def _judged(self, answer: Answer) -> Judgement:
        if answer.status != 422:
            return Judgement(self._stored(answer))
        causes = answer.json()["details"]["causes"]
        return Judgement({}, tuple((cause.get("field", ""), cause["message"]) for cause in causes))


def files_below(folder: Path) -> list[Path]:
    """All YAML files, in order."""
    return sorted(folder.rglob("*.yaml"))


def documents(path: Path) -> list[dict[str, Any]]:
    """The objects of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
