"""Every command of the tutorial is typed as it stands there, and says what the page shows of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane.child import clean_environment
from deployment import Deployment, Operator
from e2e.claims import ORDERS
from shipped import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
FILE = re.compile(r"Save this as `([\w.-]+)`:\n\n```yaml\n(.*?)```", re.DOTALL)
SESSION = re.compile(r"^```\n(\$ .*?)^```", re.DOTALL | re.MULTILINE)
QUESTION = re.compile(r"^Type .* to stop them: ", re.MULTILINE)
TYPED = re.compile(rf"{QUESTION.pattern}(.*)$", re.MULTILINE)
REFUSED = "leasehold lift stop-night-report"
"""The one command that the page shows to fail."""


@dataclass(frozen=True)
class Typed:
    """A command, what is answered to its question, and the first words of the lines that the page shows."""

    command: str
    answer: str
    shown: tuple[str, ...]


def typed() -> Iterator[Typed]:
    for session in SESSION.findall(PAGE):
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            answer = TYPED.search(output)
            words = tuple(line.split()[0] for line in TYPED.sub("", output).splitlines() if line.strip())
            yield Typed(command, answer[1] + "\n" if answer else "", words)


@pytest.fixture
def support(deployment: Deployment, operator: Operator) -> Iterator[None]:
    """What the demo has: the orders as a profile of that name, and the team with its first connection."""
    plane = deployment.plane
    deployment.profile(ORDERS, name="orders-postgres", url=None, transport="Stdio", command=["postgres-mcp"])
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "support-bot", "namespace": "support"},
    }
    plane.kubectl("create", "namespace", "support")
    plane.apply(account)
    agent = {"name": "support-bot", "serviceAccountName": "support-bot"}
    claimed = deployment.connection("support", "orders-postgres", "support-bot-orders", agent=agent)
    deployment.wait_for(claimed, "Active")
    yield
    plane.kubectl("delete", "mcpconnections", "--all", "--namespace=support", seconds=90)
    plane.kubectl("delete", "mcpserverprofile", "orders-postgres")
    plane.kubectl("delete", "namespace", "support", "--wait=false")


def test_the_tutorial_is_true(
    deployment: Deployment, operator: Operator, support: None, tmp_path: Path
) -> None:
    plane = deployment.plane
    for name, text in FILE.findall(PAGE):
        (tmp_path / name).write_text(text)
    programs = [str(Path(sys.executable).parent), str(plane.kubectl_program().parent), os.environ["PATH"]]
    environment = {
        **clean_environment(tmp_path),
        "PATH": os.pathsep.join(programs),
        "KUBECONFIG": str(plane.kubeconfig()),
    }
    steps = list(typed())
    assert len(steps) > 15
    for step in steps:
        done = subprocess.run(
            ["/bin/bash", "-c", step.command],
            cwd=tmp_path,
            env=environment,
            input=step.answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said = f"$ {step.command}\n{done.stdout}{done.stderr}"
        assert done.returncode == int(step.command.startswith(REFUSED)), said
        lines = QUESTION.sub("", said).splitlines()[1:]
        assert set(step.shown) <= {line.split()[0] for line in lines if line.strip()}, said
