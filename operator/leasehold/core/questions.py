"""Five questions that an access has to answer: who owns it, what may it do, when does it expire, who reviewed it,
how does it end. A connection that cannot answer one of them is counted, so that somebody closes the gap."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CredentialType


class Question(StrEnum):
    """What is asked."""

    OWNER = "owner"
    SCOPE = "scope"
    EXPIRY = "expiry"
    REVIEWER = "reviewer"
    END = "end"


def owner_is_no_person(connection: MCPConnection) -> bool:
    """A service account, or another of the cluster's own users, answers for nothing."""
    return connection.spec.owner.user.startswith("system:")


def scope_is_unknown(connection: MCPConnection) -> bool:
    """The profile is missing, or says nothing about what the credential allows."""
    return connection.status.server is None or not connection.status.server.scopes


def nothing_expires(connection: MCPConnection) -> bool:
    """The lease ends, and the credential goes on: a Static one has no end of its own, and nobody can end it."""
    return connection.status.lease_end_time is None or _type(connection) is CredentialType.STATIC


def nobody_has_reviewed(connection: MCPConnection) -> bool:
    """No review has ever counted."""
    return connection.status.approval is None and connection.status.rejection is None


def end_is_unknown(connection: MCPConnection) -> bool:
    """What the agent uses was not minted here (a record only), or can neither be revoked nor runs out."""
    return _type(connection) in (None, CredentialType.STATIC)


UNANSWERED: Final[Mapping[Question, Callable[[MCPConnection], bool]]] = {
    Question.OWNER: owner_is_no_person,
    Question.SCOPE: scope_is_unknown,
    Question.EXPIRY: nothing_expires,
    Question.REVIEWER: nobody_has_reviewed,
    Question.END: end_is_unknown,
}


def unanswered(connection: MCPConnection) -> tuple[Question, ...]:
    """The questions that it cannot answer."""
    return tuple(question for question, cannot in UNANSWERED.items() if cannot(connection))


def _type(connection: MCPConnection) -> CredentialType | None:
    return connection.status.server.credential_type if connection.status.server is not None else None
