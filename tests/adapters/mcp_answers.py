"""What a server may answer instead of what it should."""

from collections.abc import Mapping
from typing import Any

from adapters.mcp_stage import Asked, Behaviour, Line, stateless


def with_tools(behaviour: Behaviour | Mapping[str, Any]) -> Behaviour:
    return stateless({"tools/list": behaviour})


def raw(*parts: bytes) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        for part in parts:
            await line.raw(part)
        line.hang_up()

    return behave


def body(text: bytes, **headers: str) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        await line.answer(200, text, **headers)

    return behave


def a_result(inner: str) -> Behaviour:
    """A result written out by hand, for what `json` would not write."""

    async def behave(asked: Asked, line: Line) -> None:
        await line.answer(200, f'{{"jsonrpc":"2.0","id":{asked.id},"result":{inner}}}'.encode())

    return behave


def message(**members: Any) -> Behaviour:
    async def behave(asked: Asked, line: Line) -> None:
        told = {"jsonrpc": "2.0", "id": asked.id, "result": {"tools": []}} | members
        await line.answer(200, {name: value for name, value in told.items() if value is not ...})

    return behave


async def mute(_: Asked, line: Line) -> None:
    await line.silence()


def status(code: int, **headers: object) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        await line.answer(code, b"<html>", Content_Type="text/html", **headers)

    return behave
