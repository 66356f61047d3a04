"""Workloads as people write them, with agents in them. Every secret has the word FAKE in it."""

from collections.abc import Mapping, Sequence
from typing import Any

API_VERSIONS = {"CronJob": "batch/v1", "Job": "batch/v1", "Pod": "v1", "ConfigMap": "v1"}


def a_container(name: str = "agent", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "registry.example/agent:1", **fields}


def a_variable(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def from_secret(name: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def from_config(name: str, config: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": config, "key": key}}}


def a_workload(
    kind: str,
    name: str,
    namespace: str,
    *containers: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]] = (),
    **pod: Any,
) -> dict[str, Any]:
    """An object of a kind that runs pods, complete enough to be applied."""
    spec: dict[str, Any] = {"containers": list(containers), "volumes": list(volumes), **pod}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body: dict[str, Any] = {
        "apiVersion": API_VERSIONS.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
    match kind:
        case "Pod":
            return {**body, "spec": spec}
        case "Job":
            spec["restartPolicy"] = "Never"
            return {**body, "spec": {"template": template}}
        case "CronJob":
            spec["restartPolicy"] = "Never"
            job = {"spec": {"template": template}}
            return {**body, "spec": {"schedule": "@daily", "jobTemplate": job}}
        case _:
            more = {"serviceName": name} if kind == "StatefulSet" else {}
            return {**body, "spec": {"selector": {"matchLabels": labels}, "template": template, **more}}


def a_config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def mounted(config: str) -> dict[str, Any]:
    return {"name": config, "configMap": {"name": config}}
