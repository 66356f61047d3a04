"""`python -m mcpservers` finds or installs the MCP servers that the tests read."""

from __future__ import annotations

import sys
from dataclasses import fields

from controlplane.cache import ProvisioningFailed, say
from mcpservers.provision import provide_servers


def main() -> int:
    try:
        servers = provide_servers()
    except ProvisioningFailed as failed:
        say(f"error: {failed}")
        return 1
    for field in fields(servers):
        print(f"{field.name}: {getattr(servers, field.name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
