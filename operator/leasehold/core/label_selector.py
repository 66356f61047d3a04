"""Label selectors as people type them after `-l`: the language of kubectl, read into what a target holds."""

import re
from typing import Final

from pydantic import ValidationError

from leasehold.api.base import LabelSelector, LabelSelectorRequirement, SelectorOperator

_COMMA: Final = re.compile(r",(?![^(]*\))")
_SET: Final = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY: Final = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)$")
_EXISTENCE: Final = re.compile(r"^(!?)\s*([^=!\s]+)$")

RIGHT: Final = (
    "write it as kubectl takes it: env=prod, tier!=gold, 'env in (a, b)', 'env notin (a)', env, '!env'"
)


class BadSelector(ValueError):
    """What was typed is no label selector; the message says which part, and what would be right."""


def parse_selector(text: str) -> LabelSelector:
    """The selector; its parts, with commas between, must all hold.

    :raises BadSelector: a part cannot be read
    """
    labels: dict[str, str] = {}
    expressions: list[LabelSelectorRequirement] = []
    for part in (each.strip() for each in _COMMA.split(text)):
        try:
            read = _requirement(part)
            if isinstance(read, LabelSelectorRequirement) or labels.get(read[0], read[1]) != read[1]:
                expressions.append(_expression(read))
            else:
                labels[read[0]] = read[1]
        except ValidationError as error:
            raise BadSelector(f"{part!r} is no label selector: {RIGHT}") from error
    try:
        return LabelSelector(match_labels=labels, match_expressions=tuple(expressions))
    except ValidationError as error:
        raise BadSelector(f"{text!r} is no label selector: {RIGHT}") from error


def _requirement(part: str) -> LabelSelectorRequirement | tuple[str, str]:
    if found := _SET.match(part):
        key, word, values = found.groups()
        operator = SelectorOperator.IN if word == "in" else SelectorOperator.NOT_IN
        each_value = tuple(value.strip() for value in values.split(","))
        return LabelSelectorRequirement(key=key, operator=operator, values=each_value)
    if found := _EQUALITY.match(part):
        key, sign, value = found.groups()
        if sign != "!=":
            return key, value
        return LabelSelectorRequirement(key=key, operator=SelectorOperator.NOT_IN, values=(value,))
    if found := _EXISTENCE.match(part):
        absent, key = found.groups()
        operator = SelectorOperator.DOES_NOT_EXIST if absent else SelectorOperator.EXISTS
        return LabelSelectorRequirement(key=key, operator=operator)
    raise BadSelector(f"{part!r} is no label selector: {RIGHT}")


def _expression(read: LabelSelectorRequirement | tuple[str, str]) -> LabelSelectorRequirement:
    """A second value for a label that has one already holds for nobody, and has to be kept as it is."""
    if isinstance(read, LabelSelectorRequirement):
        return read
    return LabelSelectorRequirement(key=read[0], operator=SelectorOperator.IN, values=(read[1],))
