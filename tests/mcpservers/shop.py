"""A server on the official SDK that pages its lists; `python shop.py PORT json|stream` serves both eras."""

import sys

import uvicorn
from mcp import types
from mcp.server import Server
from mcp.server.context import ServerRequestContext

TOOLS = [
    types.Tool(
        name=f"sell-{number}",
        title=f"Sell {number}",
        description="Sells one.",
        input_schema={
            "type": "object",
            "properties": {"amount": {"type": "integer"}},
            "required": ["amount"],
        },
        annotations=types.ToolAnnotations(read_only_hint=False, destructive_hint=number % 2 == 0),
    )
    for number in range(25)
]
PROMPTS = [
    types.Prompt(
        name="greet", arguments=[types.PromptArgument(name="who", description="Whom", required=True)]
    )
]
TEMPLATES = [types.ResourceTemplate(name="order", uri_template="orders://{id}", mime_type="application/json")]
PAGE = 10


async def list_tools(
    _: ServerRequestContext[object], params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    begin = int(params.cursor) if params and params.cursor else 0
    following = str(begin + PAGE) if begin + PAGE < len(TOOLS) else None
    return types.ListToolsResult(tools=TOOLS[begin : begin + PAGE], next_cursor=following)


async def list_prompts(
    _: ServerRequestContext[object], __: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=PROMPTS)


async def list_templates(
    _: ServerRequestContext[object], __: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=TEMPLATES)


async def list_resources(
    _: ServerRequestContext[object], __: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[])


server = Server(
    "shop",
    version="3.1",
    instructions="Sells things.",
    on_list_tools=list_tools,
    on_list_prompts=list_prompts,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
)

if __name__ == "__main__":
    app = server.streamable_http_app(json_response=sys.argv[2] == "json")
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
