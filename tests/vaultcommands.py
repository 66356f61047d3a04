"""Runs the commands that `leasehold bootstrap vault` prints, with Vault's own CLI and kubectl, as an administrator
would."""

import os
import subprocess
from pathlib import Path

from controlplane import Plane
from controlplane.programs import KUBECTL, VAULT, provide


def run_script(plane: Plane, script: str) -> str:
    """Run it with `sh` as root of the plane's Vault and administrator of its cluster; returns what it said."""
    commands = plane.workdir / "commands"
    commands.mkdir(exist_ok=True)
    _link(commands / "vault", provide(VAULT))
    _link(commands / "kubectl", provide(KUBECTL))
    done = subprocess.run(
        ["sh", "-s"],
        input=script,
        env={
            "PATH": f"{commands}{os.pathsep}{os.defpath}",
            "HOME": str(plane.workdir),
            "KUBECONFIG": str(plane.kubeconfig()),
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
