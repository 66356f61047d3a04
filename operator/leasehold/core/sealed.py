"""Secret material in a wrapper that cannot be printed, logged, compared or pickled by accident."""

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Sealed(Generic[T]):
    """A value that only `reveal()` gives back; its repr and str are redacted."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The secret itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Sealed(…)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret material is never pickled")
