"""What Argo CD and Flux make of an object, by the rules that the examples ship: a real Lua and a real CEL."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from celpy import Environment
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from lupa.lua51 import LuaRuntime

from shipped import ROOT

GITOPS = ROOT / "examples" / "gitops"
GROUP = "leasehold.dev"


def documents(path: Path) -> list[dict[str, Any]]:
    """Every object of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


def every_document() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every object of the example, with its file."""
    for path in sorted(GITOPS.rglob("*.yaml")):
        for each in documents(path):
            yield path, each


@dataclass(frozen=True)
class Health:
    """As Argo CD shows it."""

    status: str
    message: str


def argocd_health(body: Mapping[str, Any], kind: str = f"{GROUP}/*") -> Health:
    """The verdict of the shipped Lua, in a Lua without files, processes and modules, as Argo CD runs it."""
    (configuration,) = documents(GITOPS / "argocd" / "health.yaml")
    script = yaml.safe_load(configuration["data"]["resource.customizations"])[kind]["health.lua"]
    lua = LuaRuntime(register_eval=False, unpack_returned_tuples=True)
    for name in ("io", "os", "require", "package", "debug", "dofile", "loadfile", "python", "string", "math"):
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(body, recursive=True)
    verdict = lua.execute(script)
    return Health(verdict["status"], verdict["message"])


def flux_verdict(body: Mapping[str, Any]) -> str:
    """The verdict of the shipped expressions, in the order in which Flux asks them."""
    status = body.get("status", {})
    if "observedGeneration" in status and status["observedGeneration"] != body["metadata"].get("generation"):
        return "InProgress"
    expressions = _expressions(body["kind"])
    for name in ("inProgress", "failed", "current"):
        if name in expressions and _holds(expressions[name], body):
            return name[0].upper() + name[1:]
    return "InProgress"


def _expressions(kind: str) -> dict[str, str]:
    (found,) = (
        check
        for _, each in every_document()
        for check in each.get("spec", {}).get("healthCheckExprs", ())
        if check["kind"] == kind
    )
    return {name: text for name, text in found.items() if name not in ("apiVersion", "kind")}


def _holds(expression: str, body: Mapping[str, Any]) -> bool:
    limit = sys.getrecursionlimit()
    try:
        environment = Environment()  # raises the limit for everybody
        program = environment.program(environment.compile(expression))
        return bool(program.evaluate({name: json_to_cel(part) for name, part in body.items()}))
    except CELEvalError:  # Flux waits, and asks again
        return False
    finally:
        sys.setrecursionlimit(limit)
