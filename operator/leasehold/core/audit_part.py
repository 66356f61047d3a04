"""What all parts of an audit record have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

Hashed = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
ReasonWord = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]+$")]
"""A `Reason`; open, so that a record with a new one is no broken record."""
UtcTime = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class Part(BaseModel):
    """A record, or an object within one, in the wire's camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", use_enum_values=True
    )
