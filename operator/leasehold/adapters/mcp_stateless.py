"""Revision 2026-07-28 over HTTP: no session, every request says all about itself."""

from leasehold.adapters.mcp_eras import enveloped
from leasehold.adapters.mcp_http import Http
from leasehold.adapters.mcp_limits import Budget
from leasehold.adapters.mcp_messages import STATELESS, request
from leasehold.adapters.mcp_streamable import ask
from leasehold.core.wire_json import JsonObject


class Stateless:
    """The stateless era over HTTP."""

    def __init__(self, http: Http, url: str, budget: Budget) -> None:
        self._http = http
        self._url = url
        self._budget = budget
        self._last_id = 0

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """One request that says all about itself."""
        self._last_id += 1
        headers = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
        message = request(self._last_id, method, enveloped(params))
        return await ask(self._http, self._url, headers, message, self._budget)
