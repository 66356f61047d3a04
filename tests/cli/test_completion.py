"""Shells complete the command; that kubectl does, too, is tried with a real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leasehold.api.hold import OnLift

PROGRAM = Path(sys.executable).with_name("leasehold")


def asked(instruction: str, **environment: str) -> list[str]:
    """What the program answers to a shell."""
    given = {**os.environ, "_LEASEHOLD_COMPLETE": instruction, **environment}
    done = subprocess.run([PROGRAM], env=given, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("leasehold sta", ["status"]), ("leasehold breakglass --on-lift ", [each.value for each in OnLift])],
)
def test_bash_completes_commands_and_values(typed: str, offered: list[str]) -> None:
    words = len(typed.split(" ")) - 1
    assert asked("complete_bash", COMP_WORDS=typed, COMP_CWORD=str(words)) == offered
