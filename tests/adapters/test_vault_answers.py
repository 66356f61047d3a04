"""Whatever JSON comes from a Vault is a value that was read, or a fault that says what happens next; never another
exception, and never a mint that is taken for one that was not done."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leasehold.adapters.vault_answers import (
    Subject,
    body_of,
    fault_of,
    read_lease_facts,
    read_lease_ids,
    read_login,
    read_mint,
    read_token_facts,
)
from leasehold.adapters.vault_wire import Answer
from leasehold.core.faults import Fault, OutcomeUnknown

WORDS = (
    *("errors", "auth", "data", "lease_id", "lease_duration", "client_token", "accessor"),
    *("ttl", "meta", "id", "path", "orphan", "token_type", "warnings", "keys"),
)
NAMES = st.sampled_from(WORDS) | st.text(max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, JSON, max_size=6)
READ: tuple[Callable[[Any, Subject], object], ...] = (
    read_login,
    read_mint,
    lambda body, subject: read_token_facts(body, subject, {"a": "b"}),
    lambda body, subject: read_lease_facts(body, subject, "a/lease"),
    lambda body, subject: read_lease_ids(body, subject, "a"),
)
MINT, LOOK = Subject("a mint", repeatable=False), Subject("a look-up")


def fault_from(reading: Callable[[], object]) -> Fault | None:
    try:
        reading()
    except Fault as fault:
        return fault
    return None


@given(body=BODIES, read=st.sampled_from(READ))
def test_any_body_is_read_or_is_a_fault(body: dict[str, Any], read: Callable[[Any, Subject], object]) -> None:
    for subject in (MINT, LOOK):
        fault = fault_from(lambda subject=subject: read(body, subject))  # type: ignore[misc]
        assert fault is None or fault.message.startswith(subject.words)


@given(status=st.integers(100, 599), body=st.none() | BODIES, seconds=st.none() | st.floats(0, 1e5))
def test_any_answer_is_a_body_or_a_fault(
    status: int, body: dict[str, Any] | None, seconds: float | None
) -> None:
    answer = Answer(status, body, seconds)
    for subject in (MINT, LOOK):
        fault = fault_from(lambda subject=subject: body_of(answer, subject))  # type: ignore[misc]
        if fault is None:
            assert 200 <= status < 300
        else:
            assert fault.message.startswith(subject.words)
            assert fault.message.isprintable()


@given(status=st.sampled_from([100, 204, 301, 302, 307, 308, 408, *range(500, 600)]), body=st.none() | BODIES)
def test_what_does_not_say_that_nothing_was_minted_may_have_minted(
    status: int, body: dict[str, Any] | None
) -> None:
    fault = fault_of(Answer(status, body), MINT)
    words = str((body or {}).get("errors", "")).lower()
    if status != 501 and not (status == 503 and "sealed" in words):
        assert isinstance(fault, OutcomeUnknown)
