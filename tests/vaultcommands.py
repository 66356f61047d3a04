"""Runs the commands that `leasehold bootstrap vault` prints, with Vault's own CLI, as an administrator would."""

import os
import subprocess
from pathlib import Path

from controlplane import Plane
from controlplane.programs import VAULT, provide


def run_script(plane: Plane, script: str) -> str:
    """Run it with `sh` as root of the plane's Vault; returns what it said."""
    vault = provide(VAULT)
    commands = plane.workdir / "commands"
    commands.mkdir(exist_ok=True)
    _link(commands / "vault", vault)
    done = subprocess.run(
        ["sh", "-s"],
        input=script,
        env={
            "PATH": f"{commands}{os.pathsep}{os.defpath}",
            "HOME": str(plane.workdir),
            "VAULT_ADDR": plane.vault.address,
            "VAULT_TOKEN": plane.vault.root_token,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _link(link: Path, target: Path) -> None:
    if not link.exists():
        link.symlink_to(target.resolve())
