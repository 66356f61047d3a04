"""Probes a URL and prints how the probe ended and by how many bytes the process grew; run by a test."""

import asyncio
import resource
import sys

from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.core.faults import Fault
from leasehold.core.probe import ProbeTarget


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def main(url: str) -> None:
    before = peak_bytes()
    try:
        await McpCatalog(AddressPolicy(allow_loopback=True)).probe(ProbeTarget(url))
    except Fault as fault:
        print(fault.reason, peak_bytes() - before)


asyncio.run(main(sys.argv[1]))
