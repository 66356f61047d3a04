"""What GitOps tools take an object for, by the published rules of kstatus (sigs.k8s.io/cli-utils)."""

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Verdict(Enum):
    """Flux and kubectl-based tools wait for Current and give up at Failed."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


def kstatus(stored: Mapping[str, Any]) -> Verdict:
    """The verdict on a custom resource as the API server stores it; the first rule that applies decides."""
    metadata, status = stored["metadata"], stored.get("status", {})
    if metadata.get("deletionTimestamp"):
        return Verdict.TERMINATING
    generation = metadata.get("generation", 0)
    if status.get("observedGeneration", generation) != generation:
        return Verdict.IN_PROGRESS
    conditions = status.get("conditions", ())
    for condition in conditions:
        if condition["status"] == "True":
            if condition["type"] == "Reconciling":
                return Verdict.IN_PROGRESS
            if condition["type"] == "Stalled":
                return Verdict.FAILED
    for condition in conditions:
        if condition["type"] == "Ready" and condition["status"] != "True":
            return Verdict.IN_PROGRESS
    return Verdict.CURRENT
