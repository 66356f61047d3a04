"""`leasehold list --shadow` on the command line: with what it goes together."""

import pytest
from typer.testing import CliRunner

from leasehold.cli.app import app


@pytest.mark.parametrize("option", [("-l", "tier=gold"), ("--team", "support"), ("--vendor", "acme")])
def test_what_narrows_connections_is_refused_for_what_is_none(option: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["list", "--shadow", *option])
    assert result.exit_code == 2
    assert "--shadow: leave out" in result.stderr
