"""An MCP server that lets in whoever carries a JWT of one Vault, meant for this server, that has not run out.

It asks nobody about a token: that is what makes JWTs cheap, and why nobody can take one back. Started as a
process of its own, with a file of settings as its argument.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl, BaseModel

ALGORITHMS = ("RS256",)
REQUIRED_CLAIMS = ("iss", "aud", "exp", "iat", "sub")


@dataclass(frozen=True)
class CatalogSettings:
    """Where it listens, whom it trusts, and which database it searches."""

    port: int
    issuer: str
    audience: str
    dsn: str

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}/mcp"


class Found(BaseModel):
    """The articles that were found, and for whom."""

    items: list[str]
    asked_by: str


class VaultTokens:
    """Verifies bearer tokens against the keys that Vault publishes."""

    def __init__(self, settings: CatalogSettings) -> None:
        self._settings = settings
        self._keys = jwt.PyJWKClient(f"{settings.issuer}/.well-known/keys")

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who carries the token; None where it is not good here and now."""
        try:
            claims = await asyncio.to_thread(self._claims, token)
        except jwt.PyJWTError as refused:
            print(f"refused: {refused}", file=sys.stderr, flush=True)
            return None
        caller = claims.get("caller", {})
        return AccessToken(
            token=token,
            client_id=f"{caller.get('namespace', '?')}/{caller.get('service_account', '?')}",
            scopes=["catalog:search"],
            expires_at=int(claims["exp"]),
            subject=claims["sub"],
        )

    def _claims(self, token: str) -> dict[str, Any]:
        key = self._keys.get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(ALGORITHMS),
            issuer=self._settings.issuer,
            audience=self._settings.audience,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        return claims


def catalog(settings: CatalogSettings) -> MCPServer:
    """The server and its tools."""
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(settings.issuer),
        resource_server_url=AnyHttpUrl(settings.url),
        required_scopes=["catalog:search"],
        validate_token_resource=False,  # the audience is checked with the signature
    )
    server = MCPServer("catalog", token_verifier=VaultTokens(settings), auth=auth)

    @server.tool()
    def search_catalog(words: str) -> Found:
        """Articles whose name holds these words."""
        with psycopg.connect(settings.dsn) as database:
            rows = database.execute(
                "select item from orders where strpos(item, lower(%s)) > 0 order by item", [words]
            ).fetchall()
        return Found(items=[row[0] for row in rows], asked_by=_caller())

    @server.tool()
    def count_articles() -> int:
        """How many articles there are."""
        with psycopg.connect(settings.dsn) as database:
            row = database.execute("select count(*) from orders").fetchone()
        return int(row[0]) if row else 0

    return server


def _caller() -> str:
    carried = get_access_token()
    return carried.client_id if carried is not None else "nobody"


def main() -> None:
    """Serve until SIGTERM."""
    settings = CatalogSettings(**json.loads(Path(sys.argv[1]).read_text()))
    catalog(settings).run(
        "streamable-http", host="127.0.0.1", port=settings.port, stateless_http=True, json_response=True
    )


if __name__ == "__main__":
    main()
