"""MCP servers that nobody here wrote: published ones, pinned to the last byte, and what they run on."""
