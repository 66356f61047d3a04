"""How the watches log in to the API server. kopf asks again whenever the server answers 401, and so reads a
token anew from its file after the kubelet has replaced it."""

import os
from pathlib import Path
from typing import Any

import kopf
import yaml

POD_CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connection_info(kubeconfig: str | None) -> kopf.ConnectionInfo:
    """From a kubeconfig, or as the pod's service account.

    :raises kopf.LoginError: there is neither, or the kubeconfig wants a login program
    """
    try:
        return _from_kubeconfig(Path(kubeconfig)) if kubeconfig else _in_cluster()
    except (OSError, KeyError, TypeError, StopIteration, yaml.YAMLError) as error:
        raise kopf.LoginError(f"No login for the API server can be read ({type(error).__name__}).") from error


def _in_cluster() -> kopf.ConnectionInfo:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return kopf.ConnectionInfo(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_path=str(POD_CREDENTIALS / "ca.crt"),
        token=(POD_CREDENTIALS / "token").read_text().strip(),
    )


def _from_kubeconfig(path: Path) -> kopf.ConnectionInfo:
    config = yaml.safe_load(path.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    if "exec" in user or "auth-provider" in user:
        raise kopf.LoginError(
            "The watches run no login programs: use a kubeconfig with a token or certificate."
        )
    return kopf.ConnectionInfo(
        server=cluster["server"],
        insecure=cluster.get("insecure-skip-tls-verify"),
        proxy_url=cluster.get("proxy-url"),
        token=_token(user, path.parent),
        username=user.get("username"),
        password=user.get("password"),
        **_file_or_data("ca", cluster, "certificate-authority", path.parent),
        **_file_or_data("certificate", user, "client-certificate", path.parent),
        **_file_or_data("private_key", user, "client-key", path.parent),
    )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _token(user: dict[str, Any], base: Path) -> str | None:
    if user.get("token"):
        return str(user["token"])
    return (base / user["tokenFile"]).read_text().strip() if user.get("tokenFile") else None


def _file_or_data(field: str, source: dict[str, Any], key: str, base: Path) -> dict[str, Any]:
    if source.get(f"{key}-data"):
        return {f"{field}_data": source[f"{key}-data"]}
    return {f"{field}_path": str(base / source[key])} if source.get(key) else {}
