"""Probes a URL and prints how the probe ended and by how many bytes the process grew; run by a test."""

import asyncio
import sys
from pathlib import Path

from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.core.faults import Fault
from leasehold.core.probe import ProbeTarget


def peak_bytes() -> int:
    """The most that this program ever held; `ru_maxrss` would count what its parent held before the exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


async def main(url: str) -> None:
    before = peak_bytes()
    try:
        await McpCatalog(AddressPolicy(allow_loopback=True)).probe(ProbeTarget(url))
    except Fault as fault:
        print(fault.reason, peak_bytes() - before)


asyncio.run(main(sys.argv[1]))
