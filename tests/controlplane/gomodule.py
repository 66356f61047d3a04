"""A published Go module for the files in it, verified against a committed go.sum like everything that is built."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from controlplane.cache import Progress, ProvisioningFailed, default_cache, say
from controlplane.gobuild import go_toolchain

MONITORING = "github.com/prometheus-operator/prometheus-operator"
WRAPPER = Path(__file__).resolve().parent / "monitoring"
DOWNLOAD_SECONDS = 600


def monitoring_definitions(cache: Path | None = None, progress: Progress = say) -> list[Path]:
    """The definitions of ServiceMonitor and PrometheusRule, as their project publishes them."""
    directory = module_directory(MONITORING, WRAPPER, cache or default_cache(), progress)
    folder = directory / "example" / "prometheus-operator-crd"
    return [
        folder / f"monitoring.coreos.com_{plural}.yaml" for plural in ("servicemonitors", "prometheusrules")
    ]


def module_directory(module: str, wrapper: Path, cache: Path, progress: Progress) -> Path:
    """Where Go keeps the module that the wrapper's go.mod requires; downloaded if it is not there.

    :raises ProvisioningFailed: it cannot be had, or is not what go.sum says
    """
    go = go_toolchain(cache, progress)
    done = subprocess.run(
        [str(go), "mod", "download", "-json", module],
        cwd=wrapper,
        env=os.environ | {"GOFLAGS": "-mod=readonly", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DOWNLOAD_SECONDS,
    )
    if done.returncode != 0:
        raise ProvisioningFailed(f"{module}: go mod download failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return Path(json.loads(done.stdout)["Dir"])
