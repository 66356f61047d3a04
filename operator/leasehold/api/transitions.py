"""What an update may not change: the models' form of the API server's `oldSelf` rules. It judges what no
server saw, such as two revisions of a manifest in Git."""

from collections.abc import Iterator

from leasehold.api.base import ApiModel, Resource
from leasehold.api.rules import Immutable, transitions_of


def forbidden_changes(old: Resource, new: Resource) -> list[str]:
    """What is wrong with `new` as an update of `old`, as `spec.field: sentence`; empty where it is allowed.

    Both are read by the models already, so each of them is valid by itself.
    """
    if type(old) is not type(new):
        return [f"kind: keep it: {old.KIND} cannot become {new.KIND}"]
    return list(_forbidden("", old, new))


def _forbidden(path: str, old: ApiModel, new: ApiModel) -> Iterator[str]:
    for name, field in type(new).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before is None or after is None:
            continue
        inner = f"{path}.{field.alias}".lstrip(".")
        for kept in field.metadata:
            if isinstance(kept, Immutable) and before != after:
                yield f"{inner}: {kept.as_rule().message}"
        if isinstance(before, ApiModel):
            yield from _forbidden(inner, before, after)
    for method, rule in transitions_of(type(new)):
        if not getattr(new, method)(old):
            yield f"{path}{'.' + rule.field if rule.field else ''}: {rule.message}"
