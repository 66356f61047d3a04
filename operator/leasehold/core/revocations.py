"""Which revocations deny a connection. This version cannot read their targets, so it denies all that it sees:
deny wins over what cannot be ruled out."""

from leasehold.api.connection import MCPConnection
from leasehold.core.facts import RevocationFact


def denying(revocations: tuple[RevocationFact, ...], connection: MCPConnection) -> RevocationFact | None:
    """The first revocation that may mean this connection."""
    del connection
    return revocations[0] if revocations else None
