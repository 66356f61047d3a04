"""`leasehold heartbeat` on the command line: how it is used wrongly, and what it says when it cannot work."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from leasehold.cli.app import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["heartbeat", *arguments])


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """A kubeconfig of an API server that is not there."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.mark.parametrize("key", ["orders", "support/", "/orders", "a/b/c"])
def test_a_connection_is_named_with_its_namespace(key: str) -> None:
    result = run(key)
    assert result.exit_code == 2
    assert "NAMESPACE/NAME" in result.stderr


@pytest.mark.parametrize("options", [("--interval", "0"), ("--interval", "often"), ("--kubeconfig", "/none")])
def test_options_that_cannot_be_used_are_refused(options: tuple[str, str]) -> None:
    result = run("support/orders", *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr


@pytest.mark.parametrize("url", ["orders", "ftp://shop.example.com/mcp", "https:/token@shop.example.com"])
def test_a_server_is_named_by_its_url_which_is_not_repeated(url: str) -> None:
    result = run("support/orders", "--once", "--server", url)
    assert result.exit_code == 2
    assert "--server: write the URL" in result.stderr
    assert "token" not in result.stderr


def test_without_a_pod_and_without_a_kubeconfig_there_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = run("support/orders", "--once")
    assert result.exit_code == 1
    assert "this is no pod" in result.stderr


def test_one_renewal_that_nobody_answers_has_failed(nobody: str) -> None:
    result = run("support/orders", "--once", "--kubeconfig", nobody)
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr
