"""A JWT for an MCP server: nobody can take it back, so what is promised, and kept, is when it runs out."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2
import jwt
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from leasehold.api.reasons import Reason
from story import Act, ConnectionStory
from world import Credential, NotSeen, Refused, clock, now

SECONDS = 15.0


class Catalog(ConnectionStory):
    """Minted, used with the official client, rotated, suspended, and run out."""

    namespace = "shop"
    name = "shop-assistant-catalog"
    secret_name = "shop-assistant-catalog"

    @property
    def acts(self) -> Sequence[Act]:
        return (self.minted, self.used, self.rotated, self.old_one_ended, self.suspended, self.ran_out)

    def use(self, credential: Credential) -> str:
        """Call a tool with the configuration that the Secret holds."""
        return asyncio.run(_search(credential.data["mcp.json"], "lantern"))

    def minted(self) -> str:
        credential = self.first_credential()
        claims = jwt.decode(credential.data["token"], options={"verify_signature": False})
        return f"a JWT for {claims['aud']}, runs out at {clock(_end(credential))}"

    def used(self) -> str:
        return self.use(self.current())

    def rotated(self) -> str:
        old, new = self.next_credential()
        self.use(old)
        return f"generation {new.generation}: {self.use(new)}; generation {old.generation} is good, too"

    def old_one_ended(self) -> str:
        old = self.replaced or self.current()
        self._until(_end(old))
        refused = self.refusal(old)
        return f"generation {old.generation} ran out at {clock(_end(old))}: {refused}"

    def suspended(self) -> str:
        self.suspend()
        connection = self.until_ready_is(Reason.SUSPENDED)
        exposed = connection.status.residual_exposure_until
        if exposed is None or exposed < _end(self.current()).replace(microsecond=0):
            raise NotSeen(f"status does not say that the JWT works until {clock(_end(self.current()))}")
        used = self.use(self.current())
        return f"the Secret is gone; a JWT is never revoked ({used}), status says: until {clock(exposed)}"

    def ran_out(self) -> str:
        self._until(_end(self.current()))
        refused = self.refusal(self.current())
        self.world.until(self._has_empty_ledger, 30, f"the ledger of {self.subject} is empty")
        return f"after {clock(_end(self.current()))}: {refused}, and the ledger is empty"

    def _has_empty_ledger(self) -> bool:
        return not self.connection().status.ledger

    def _until(self, moment: datetime) -> None:
        self.world.until(lambda: now() > moment, 60, f"it is {clock(moment)}")


@dataclass
class _Answers:
    """What HTTP said beneath the client, which tells of its own troubles only."""

    refusals: list[str] = field(default_factory=list)

    async def note(self, response: httpx2.Response) -> None:
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self.refusals.append(f"the MCP server answers {response.status_code} to the JWT")


async def _search(configuration: str, words: str) -> str:
    server = json.loads(configuration)["mcpServers"]["catalog"]
    answers = _Answers()
    http = httpx2.AsyncClient(
        headers=server["headers"],
        timeout=SECONDS,
        trust_env=False,
        event_hooks={"response": [answers.note]},
    )
    try:
        async with http, Client(streamable_http_client(server["url"], http_client=http)) as client:
            result = await client.call_tool("search_catalog", {"words": words})
    except (MCPError, httpx2.HTTPError, ExceptionGroup) as error:
        if answers.refusals:
            raise Refused(answers.refusals[0]) from error
        raise NotSeen(f"the MCP server does not answer: {error}") from error
    found = result.structured_content or {}
    if result.is_error or not found.get("items"):
        raise NotSeen(f"the tool failed: {result.content}")
    return f"search_catalog found {', '.join(found['items'])} for {found['asked_by']}"


def _end(credential: Credential) -> datetime:
    claims = jwt.decode(credential.data["token"], options={"verify_signature": False})
    return datetime.fromtimestamp(claims["exp"], UTC)
