"""An agent wants its credential in the shape of its own configuration file. A template language that can
compute would let a team's text take the operator's time and memory (a sandbox bounds neither), so a
template may only place values: jinja2 parses it, an allow-list of syntax accepts it, and the accepted parts
are rendered here; jinja2's own compiler and runtime never see it."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.secret_keys import is_secret_key
from leasehold.core.text import has_surrogates, shortened

MAX_DATA_BYTES: Final = 900 * 1024
"""What the data of one Secret may hold; the API server refuses more than 1 MiB."""

OUTPUT_TEMPLATES: Final = "spec.output.templates"

MAX_FILTERS: Final = 4
"""Filters in a row: each may make a value several times longer."""

MAX_PROBLEMS: Final = 8
MAX_INTEGER: Final = 2**63 - 1

FILTERS: Final[Mapping[str, Callable[[str | int], str]]] = {
    "tojson": lambda value: json.dumps(value, ensure_ascii=False),
    "b64encode": lambda value: b64encode(str(value).encode()).decode("ascii"),
    "trim": lambda value: str(value).strip(),
}

_ALLOWED: Final = (
    "a template may hold only text, names, string and integer constants, comments, "
    f"and the filters {', '.join(sorted(FILTERS))}"
)

_NAMES_OF_SYNTAX: Final[tuple[tuple[tuple[type[nodes.Node], ...], str], ...]] = (
    ((nodes.For,), "a loop"),
    ((nodes.If, nodes.CondExpr), "a condition"),
    ((nodes.Macro, nodes.CallBlock), "a macro"),
    ((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block), "another template"),
    ((nodes.Assign, nodes.AssignBlock, nodes.With, nodes.NSRef), "an assignment"),
    ((nodes.Getattr, nodes.Getitem, nodes.Slice), "the access to an attribute or item"),
    ((nodes.Call,), "a call"),
    ((nodes.Test,), "a test"),
    ((nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not), "a comparison"),
    ((nodes.Concat,), "a concatenation (write the values side by side)"),
    ((nodes.BinExpr, nodes.UnaryExpr), "arithmetic"),
    ((nodes.Tuple, nodes.List, nodes.Dict), "a list or mapping"),
    ((nodes.FilterBlock,), "a filter block"),
    ((nodes.Const,), "a constant that is neither a string nor an integer of 64 bits"),
)


@dataclass(frozen=True)
class Placed:
    """One `{{ … }}`: a name or a constant, and the filters it passes, innermost first."""

    source: str | int
    is_name: bool
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Compiled:
    """What a template places, in order; or what is wrong with it (sentence parts, without the field)."""

    parts: tuple[str | Placed, ...]
    problems: tuple[str, ...]


class _Refused(Exception):
    """Syntax outside the allow-list; its text says which and where."""


def validate_template(key: str, text: str, allowed_names: frozenset[str] | None) -> list[str]:
    """What is wrong with one template, as sentences; empty where it will render.

    `allowed_names` are the names that it may use; None where they are not known before the first mint.
    """
    field = _field(key)
    problems = [f"{field} {problem}." for problem in compile_template(text).problems]
    if not is_secret_key(key):
        problems.append(
            f"{field} has a key that a Secret cannot have: use letters, digits, '-', '_' and '.', "
            "and do not begin with two dots."
        )
    if allowed_names is not None:
        problems.extend(_missing(field, name, allowed_names) for name in _names(text) - allowed_names)
    return sorted(problems)[:MAX_PROBLEMS]


def render(
    templates: Mapping[str, str], context: Mapping[str, str], where: str = OUTPUT_TEMPLATES
) -> Mapping[str, str]:
    """Every template with its values placed, under its own key; `where` is the field that has them.

    :raises NeedsPerson: InvalidSpec: a template is refused, names what the context lacks, or grows too large
    """
    rendered: dict[str, str] = {}
    room = MAX_DATA_BYTES
    for key, text in templates.items():
        compiled, field = compile_template(text), _field(key, where)
        if compiled.problems:
            raise NeedsPerson(Reason.INVALID_SPEC, f"{field} {compiled.problems[0]}.")
        pieces = []
        for piece in _pieces(field, compiled, context):
            room -= len(piece.encode())
            if room < 0:
                raise NeedsPerson(Reason.INVALID_SPEC, f"{field} makes the Secret {_too_large()}.")
            pieces.append(piece)
        rendered[key] = "".join(pieces)
    return rendered


@lru_cache(maxsize=1024)
def compile_template(text: str) -> Compiled:
    """Parse a template and hold it against the allow-list. Never raises."""
    if has_surrogates(text):
        return Compiled((), ("holds characters that are not valid Unicode; write it in UTF-8",))
    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        said = shortened(error.message or "it cannot be parsed", 160)
        return Compiled((), (f"is not a valid template at line {error.lineno}: {said}; {_ALLOWED}",))
    except RecursionError:
        return Compiled((), (f"is nested too deeply; {_ALLOWED}",))
    except (ValueError, SyntaxError):
        # jinja2's lexer hands odd digits and very long numbers to Python as they are.
        return Compiled((), (f"holds a number that cannot be read; {_ALLOWED}",))
    parts: list[str | Placed] = []
    problems: list[str] = []
    for node in _printed(tree):
        try:
            parts.append(node.data if isinstance(node, nodes.TemplateData) else _placed(node))
        except _Refused as refusal:
            problems.append(f"{refusal}; {_ALLOWED}")
    return Compiled(tuple(parts), tuple(problems[:MAX_PROBLEMS]))


def _environment() -> Environment:
    return Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701  a Secret is no web page


def _printed(tree: nodes.Template) -> Iterator[nodes.Node]:
    for statement in tree.body:
        if isinstance(statement, nodes.Output):
            yield from statement.nodes
        else:
            yield statement


def _placed(node: nodes.Node) -> Placed:
    filters: list[str] = []
    # A loop, not recursion: a chain of thousands of filters parses, and would overflow the stack here.
    while isinstance(node, nodes.Filter):
        filters.append(_filter_name(node))
        if node.node is None or len(filters) > MAX_FILTERS:
            raise _Refused(f"has more than {MAX_FILTERS} filters in a row at line {node.lineno}")
        node = node.node
    in_order = tuple(reversed(filters))
    if isinstance(node, nodes.Name):
        return Placed(node.name, True, in_order)
    if isinstance(node, nodes.Const) and _is_allowed_constant(node.value):
        return Placed(node.value, False, in_order)
    line = f" at line {node.lineno}" if node.lineno else ""
    raise _Refused(f"uses {_syntax(node)}{line}")


def _filter_name(node: nodes.Filter) -> str:
    if node.name not in FILTERS:
        raise _Refused(f"uses the filter '{shortened(node.name, 64)}' at line {node.lineno}")
    if node.args or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise _Refused(f"gives arguments to the filter '{node.name}' at line {node.lineno}; it takes none")
    return node.name


def _is_allowed_constant(value: object) -> bool:
    if isinstance(value, str):
        return not has_surrogates(value)
    return type(value) is int and value <= MAX_INTEGER


def _syntax(node: nodes.Node) -> str:
    for kinds, said in _NAMES_OF_SYNTAX:
        if isinstance(node, kinds):
            return said
    return "a statement"


def _pieces(field: str, compiled: Compiled, context: Mapping[str, str]) -> Iterator[str]:
    for part in compiled.parts:
        yield part if isinstance(part, str) else _value(field, part, context)


def _value(field: str, placed: Placed, context: Mapping[str, str]) -> str:
    value: str | int = placed.source
    if placed.is_name:
        name = str(placed.source)
        if name not in context:
            raise NeedsPerson(Reason.INVALID_SPEC, _missing(field, name, frozenset(context)))
        value = context[name]
        if has_surrogates(value):
            raise NeedsPerson(
                Reason.DOES_NOT_FIT_TYPE,
                f"The credential's '{shortened(name, 64)}' is not valid Unicode text.",
            )
    for name in placed.filters:
        if len(str(value)) > MAX_DATA_BYTES:
            raise NeedsPerson(Reason.INVALID_SPEC, f"{field} makes the Secret {_too_large()}.")
        value = FILTERS[name](value)
    return str(value)


def _names(text: str) -> frozenset[str]:
    placed = (part for part in compile_template(text).parts if isinstance(part, Placed))
    return frozenset(str(part.source) for part in placed if part.is_name)


def _field(key: str, where: str = OUTPUT_TEMPLATES) -> str:
    return f"{where}[{shortened(key, 253)}]"


def _missing(field: str, name: str, available: frozenset[str]) -> str:
    known = ", ".join(shortened(known, 64) for known in sorted(available)[:40]) or "none"
    return (
        f"{field} uses the name '{shortened(name, 64)}', which this credential does not have; "
        f"the names available are: {known}."
    )


def _too_large() -> str:
    return f"larger than {MAX_DATA_BYTES // 1024} KiB; shorten the template, or use fewer of them"
