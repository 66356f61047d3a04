"""A review as an object: the one that a command writes, and the one that it prints for `kubectl create -f -`."""

import secrets
from typing import Final

import yaml
from pydantic import ValidationError

from leasehold.api.base import ObjectMeta
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CapturedSurface
from leasehold.api.review import Decision, MCPConnectionReview, MCPConnectionReviewSpec

LONGEST_NAME: Final = 253
_WIDE: Final = 10_000


class UnfitReview(ValueError):
    """A field cannot be used; the message names the option, and says why."""


def a_review(
    connection: MCPConnection,
    decision: Decision,
    reviewer: str,
    surface: CapturedSurface | None,
    comment: str,
    ticket: str | None,
) -> MCPConnectionReview:
    """What somebody says about a connection, under a name that nobody else has.

    :raises UnfitReview: comment or ticket cannot be used
    """
    end = f"-{decision.value.lower()}-{secrets.token_hex(3)}"
    name = connection.metadata.name[: LONGEST_NAME - len(end)].rstrip("-.") + end
    try:
        spec = MCPConnectionReviewSpec(
            connection=connection.metadata.name,
            reviewer=reviewer,
            decision=decision,
            surface_digest=surface.digest if surface is not None else None,
            comment=comment,
            ticket=ticket,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UnfitReview(f"--{first['loc'][0]}: {first['msg']}") from error
    return MCPConnectionReview(
        metadata=ObjectMeta(name=name, namespace=connection.metadata.namespace), spec=spec
    )


def manifest(review: MCPConnectionReview) -> str:
    """YAML in ASCII."""
    body = {
        "apiVersion": review.api_version,
        "kind": review.KIND,
        "metadata": {"name": review.metadata.name, "namespace": review.metadata.namespace},
        "spec": review.spec.to_wire(),
    }
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=False, width=_WIDE)
