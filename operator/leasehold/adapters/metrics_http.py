"""One scrape of a metrics endpoint, as a monitoring system would make it, within bounds."""

import ssl
from pathlib import Path

import aiohttp

from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater

TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
LONGEST_BYTES = 64 * 1024 * 1024


async def scrape(url: str, ca: Path | None = None) -> str:
    """The exposition text; redirects are not followed. `ca` is PEM of the only CAs to believe.

    :raises TryLater: nothing that could be read has come
    """
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, connector=connector) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise TryLater(Reason.UNREACHABLE, f"{url} answers {answer.status}.")
            return await _text(answer)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TryLater(
            Reason.UNREACHABLE, f"{url} cannot be read: {error or type(error).__name__}"
        ) from error


async def _text(answer: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        body += chunk
        if len(body) > LONGEST_BYTES:
            raise ValueError(f"it sends more than {LONGEST_BYTES} bytes")
    return body.decode(errors="replace")
