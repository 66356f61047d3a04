"""Which cluster and whom a person means, told as kubectl tells it: `KUBECONFIG` may name several files, of which
the first one that says something is believed; a context names the cluster, the user and the namespace.

The client library lets the last file choose the current context, and knows nothing of namespaces, so it is handed
one context that was chosen here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson

VARIABLE: Final = "KUBECONFIG"
DEFAULT_NAMESPACE: Final = "default"

_FILES: Final = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
_SECTIONS: Final = {"clusters": "cluster", "users": "user", "contexts": "context"}


@dataclass(frozen=True)
class KubeContext:
    """One context, and what it needs of the files; `config` is a kubeconfig with nothing else in it."""

    name: str
    namespace: str
    config: Mapping[str, Any]


def kubeconfig_files(given: Path | None, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The files that count: the one that was given, else those of `KUBECONFIG`, else the one at home."""
    if given is not None:
        return [given]
    listed = [Path(each).expanduser() for each in environment.get(VARIABLE, "").split(os.pathsep) if each]
    return listed or [Path.home() / ".kube" / "config"]


def read_context(files: Sequence[Path], name: str | None = None) -> KubeContext:
    """The context of that name, or the current one. Of several files, some may be missing.

    :raises NeedsPerson: there is no such context, or a file cannot be read; the message says what to do
    """
    config = _merged(files)
    where = ", ".join(map(str, files))
    if not config["contexts"]:
        raise _unfit(f"{where}: no context is in there; name a kubeconfig with --kubeconfig or {VARIABLE}")
    wanted = name or config["current-context"]
    if not wanted:
        raise _unfit(f"{where}: no current context is set; name one with --context")
    context = config["contexts"].get(wanted)
    if context is None:
        known = ", ".join(sorted(config["contexts"]))
        raise _unfit(f"{where}: there is no context {wanted}; there are {known}")
    cluster = config["clusters"].get(context.get("cluster"))
    if cluster is None:
        raise _unfit(f"{where}: context {wanted} names a cluster that is not there: {context.get('cluster')}")
    user = config["users"].get(context.get("user"), {})
    if "as" in user:
        raise _unfit(
            f"{where}: user {context.get('user')} impersonates somebody (as:), which is not done here"
        )
    return KubeContext(wanted, context.get("namespace") or DEFAULT_NAMESPACE, _alone(wanted, cluster, user))


def context_names(files: Sequence[Path]) -> list[str]:
    """Every context that can be named, for completion.

    :raises NeedsPerson: a file cannot be read
    """
    return sorted(_merged(files)["contexts"])


def _alone(name: str, cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return {**named, "current-context": name}


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {section: {} for section in _SECTIONS} | {"current-context": ""}
    for file in files:
        if len(files) > 1 and not file.exists():
            continue
        config = _read(file)
        merged["current-context"] = merged["current-context"] or config.get("current-context")
        for section, inner in _SECTIONS.items():
            for name, entry in _entries(file, config, section, inner):
                merged[section].setdefault(name, entry)
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text())
    except FileNotFoundError as error:
        raise _unfit(f"{file}: no such file; name a kubeconfig with --kubeconfig or {VARIABLE}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unfit(f"{file} cannot be read as a kubeconfig ({type(error).__name__})") from error
    if not isinstance(config, dict | None):
        raise _unfit(f"{file} is no kubeconfig")
    return config or {}


def _entries(
    file: Path, config: dict[str, Any], section: str, inner: str
) -> list[tuple[str, dict[str, Any]]]:
    try:
        return [
            (str(each["name"]), _with_absolute_paths(file.parent, section, each.get(inner) or {}))
            for each in config.get(section) or ()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise _unfit(f"{file}: {section} is not a list of entries with a name and a {inner}") from error


def _with_absolute_paths(folder: Path, section: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Paths are relative to the file in which they stand."""
    resolved = dict(entry)
    for key in _FILES.get(section, ()):
        if entry.get(key):
            resolved[key] = str((folder / entry[key]).absolute())
    login = entry.get("exec")
    if login and os.sep in login.get("command", ""):
        resolved["exec"] = {**login, "command": str((folder / login["command"]).absolute())}
    return resolved


def _unfit(message: str) -> NeedsPerson:
    return NeedsPerson(Reason.CLUSTER_UNAVAILABLE, message)
