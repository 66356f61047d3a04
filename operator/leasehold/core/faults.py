"""Errors that say what happens next. Library errors become one of these once, at the border, with the cause
chained and secrets left out."""

from leasehold.api.reasons import Reason


class Fault(Exception):
    """Something that did not work; `message` is a sentence for a person, without secrets."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NeedsPerson(Fault):
    """Nothing changes until a person changes something: refused by policy, misconfigured, unfit answer.
    Tried again rarely."""


class TryLater(Fault):
    """Likely to pass: unreachable, sealed, throttled. `retry_after_seconds` is what the server asked for."""

    def __init__(self, reason: Reason, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after_seconds = retry_after_seconds


class Conflict(Fault):
    """The object changed under us: read it again and decide anew."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.CONFLICT, message)


class Vanished(Fault):
    """The object that we wanted to change is gone, or is another one of that name."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.DELETED, message)


class OutcomeUnknown(Fault):
    """The request may have been carried out; it is never repeated blindly."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.UNKNOWN_OUTCOME, message)
