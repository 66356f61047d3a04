"""What `leasehold breakglass` takes for a target, and that it asks for nothing before it knows what is meant."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from leasehold.api.revocation import RevocationTarget
from leasehold.cli.app import app
from leasehold.cli.breakglass_target import BadTarget, target_of, word_for


def test_there_is_an_option_for_every_field_of_a_target() -> None:
    fields = {each.alias or name for name, each in RevocationTarget.model_fields.items()}
    with pytest.raises(BadTarget) as said:
        target_of({})
    assert len(fields) == str(said.value).count("--")
    for field in fields - {"labelSelector", "connection", "serverURL"}:
        assert target_of({field: "x"}).to_wire() == {field: "x"}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"serverURL": "https://orders-mcp.tools.svc/*"}, "https://orders-mcp.tools.svc/*"),
        ({"connection": "support/bot", "team": None}, "support/bot"),
        ({"profile": "orders", "team": "support"}, "profile=orders, team=support"),
        ({"labelSelector": "env=prod,!spared"}, "labelSelector=(env=prod, spared DoesNotExist)"),
    ],
)
def test_what_has_to_be_typed_is_the_target(given: dict[str, str | None], word: str) -> None:
    assert word_for(target_of(given)) == word


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say what is meant with --server-url"),
        (["--server-url", "https://Orders.example/mcp"], "--server-url:"),
        (["--connection", "bot"], "--connection:"),
        (["--selector", "a b"], "--selector: 'a b' is no label selector"),
        (["--profile", "x", "--expires-seconds", "5"], "--expires-seconds:"),
        (["--profile", "x", "--incident", ""], "--incident:"),
        (["--profile", "x", "--reason", ""], "--reason:"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_option(options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["breakglass", "--reason", "a leak", *options])
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_without_any_cluster_nothing_is_asked_and_the_way_without_one_is_named(tmp_path: Path) -> None:
    kubeconfig = ["--kubeconfig", str(tmp_path / "none"), "--context", "a", "--context", "b"]
    done = CliRunner().invoke(app, ["breakglass", "--reason", "a leak", "--profile", "x", *kubeconfig])
    assert done.exit_code == 1
    assert done.stderr.count("no such file") == 2
    assert "docs/breakglass.md" in done.stderr
    assert "Type" not in done.stderr
    assert done.stdout == ""
