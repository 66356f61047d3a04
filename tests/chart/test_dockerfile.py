"""The recipe of the image, read as a builder reads it: there is no container engine where the gate runs."""

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from shipped import MANIFESTS, ROOT

RECIPE = ROOT / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """What follows one FROM, as instruction and arguments."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def arguments(self, instruction: str) -> list[str]:
        return [arguments for each, arguments in self.steps if each == instruction]


def instructions(text: str) -> list[tuple[str, str]]:
    """Every instruction, without comments, on one line each."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", code).splitlines()
    return [
        (line.split(None, 1)[0].upper(), line.split(None, 1)[1].strip()) for line in lines if line.strip()
    ]


def stages() -> list[Stage]:
    found: list[Stage] = []
    for instruction, arguments in instructions(RECIPE.read_text()):
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            found.append(Stage(base, name, ()))
        elif found:
            last = found.pop()
            found.append(Stage(last.base, last.name, (*last.steps, (instruction, arguments))))
    return found


@pytest.fixture
def build() -> Stage:
    return stages()[0]


@pytest.fixture
def image() -> Stage:
    return stages()[-1]


def test_every_stage_is_of_a_slim_base_that_whoever_builds_pins_by_digest() -> None:
    before = instructions(RECIPE.read_text())[: -sum(1 + len(each.steps) for each in stages())]
    assert before == [("ARG", "BASE_DIGEST")], "without a default nothing is built that nobody looked at"
    assert len(stages()) == 2
    for stage in stages():
        assert re.fullmatch(r"python:3\.\d+-slim@\$\{BASE_DIGEST\}", stage.base)


def test_the_base_has_a_python_that_the_package_accepts(image: Stage) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minimum = re.fullmatch(r">=3\.(\d+)", project["requires-python"])
    version = re.search(r":3\.(\d+)-", image.base)
    assert minimum is not None
    assert version is not None
    assert int(version[1]) >= int(minimum[1])


def test_what_is_installed_is_what_was_tested(build: Stage) -> None:
    (install,) = [each for each in build.arguments("RUN") if "pip install" in each]
    words = shlex.split(install)
    assert words[words.index("--constraint") + 1] == "constraints.txt"
    assert "--only-binary=:all:" in words
    assert words[-1] == ".", "no extras: what tests need is not in the image"


def test_everything_that_is_copied_is_there_and_gets_past_dockerignore(build: Stage) -> None:
    sources = [word for line in build.arguments("COPY") for word in line.split()[:-1]]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    for source in sources:
        assert Path(ROOT / source).exists(), source
        assert source.removeprefix("./") in let_in, source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= let_in, "setuptools reads them"


def test_the_image_has_the_program_alone_and_is_not_root(image: Stage) -> None:
    assert image.arguments("COPY") == ["--from=build /opt/leasehold /opt/leasehold"]
    assert image.arguments("RUN") == image.arguments("ADD") == []
    (user,) = image.arguments("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "runAsNonRoot needs a number"
    assert image.arguments("ENTRYPOINT") == ['["python", "-m", "leasehold"]']


def test_the_image_serves_where_the_chart_looks(image: Stage) -> None:
    deployment = next(
        each
        for each in yaml.safe_load_all((MANIFESTS / "operator.yaml").read_text())
        if each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert image.arguments("EXPOSE") == [str(container["ports"][0]["containerPort"])]
    assert "command" not in container
    assert "args" not in container


def test_no_registry_is_named() -> None:
    assert not re.search(r"\w\.\w+/", RECIPE.read_text())
