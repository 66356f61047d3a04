"""Leasehold puts every MCP connection on a lease."""

__version__ = "0.1.0"
