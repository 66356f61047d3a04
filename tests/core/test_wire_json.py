"""A text is read in one way, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.core.canonical_json import canonical_json
from leasehold.core.wire_json import MAX_DEPTH, MAX_DIGITS, Unfit, UnfitJson, parse
from mcp_surfaces import values


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", Unfit.NOT_UTF8),
        ('"ä"'.encode("latin-1"), Unfit.NOT_UTF8),
        ('{"a": 1}'.encode("utf-16"), Unfit.NOT_UTF8),
        (b'"\xed\xa0\x80"', Unfit.NOT_UTF8),
        (b"", Unfit.NOT_JSON),
        (b"{", Unfit.NOT_JSON),
        (b"{} {}", Unfit.NOT_JSON),
        (b"{'a': 1}", Unfit.NOT_JSON),
        (b"[1,]", Unfit.NOT_JSON),
        (b'"\x01"', Unfit.NOT_JSON),
        (b"\xef\xbb\xbf{}", Unfit.NOT_JSON),
        (b"01", Unfit.NOT_JSON),
        (b'{"a": 1, "a": 1}', Unfit.DUPLICATE_KEY),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', Unfit.DUPLICATE_KEY),
        (b"NaN", Unfit.NOT_FINITE),
        (b"[-Infinity]", Unfit.NOT_FINITE),
        (b"1e400", Unfit.NOT_FINITE),
        (b'"\\ud800"', Unfit.LONE_SURROGATE),
        (b'{"\\uDC00": 1}', Unfit.LONE_SURROGATE),
        (b'[["\\ude00\\ud83d"]]', Unfit.LONE_SURROGATE),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), Unfit.TOO_DEEP),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Unfit.TOO_DEEP),
        (b"9" * (MAX_DIGITS + 1), Unfit.TOO_MANY_DIGITS),
        (b"9" * 1_000_000, Unfit.TOO_MANY_DIGITS),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_reason(data: bytes, reason: Unfit) -> None:
    with pytest.raises(UnfitJson) as refused:
        parse(data)
    assert refused.value.reason is reason


def test_the_message_quotes_nothing_of_the_server() -> None:
    for text in (b'{"\\u001b[31mx": 1, "\\u001b[31mx": 2}', b'["\x1b[31m", oops', b'"\\ud800 secret"'):
        with pytest.raises(UnfitJson) as refused:
            parse(text)
        assert str(refused.value).isprintable()
        assert "31m" not in str(refused.value)
        assert "secret" not in str(refused.value)


def test_what_is_within_the_bounds_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert parse(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"
    assert parse(b"9007199254740993") == 9007199254740993
    assert parse(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(UnfitJson):
        parse(b"[[1]]", max_depth=1)


@given(values)
def test_what_python_writes_is_read_back(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


LARGE = st.integers(min_value=2**53) | st.integers(max_value=-(2**53))


@given(LARGE, LARGE)
def test_two_large_integers_never_fall_together(one: int, other: int) -> None:
    assert (canonical_json(one) == canonical_json(other)) is (one == other)


def test_a_string_never_stands_for_a_large_integer() -> None:
    large = 2**53
    forms = [canonical_json(large)]
    for _ in range(3):  # the string that the last one is written as
        forms.append(canonical_json(parse(forms[-1])))
    assert len(set(forms)) == len(forms)
    assert canonical_json({"a": [large]}) != canonical_json({"a": [parse(canonical_json(large))]})


def test_integers_that_a_double_holds_are_written_as_numbers() -> None:
    assert canonical_json([2**53 - 1, -(2**53) + 1, 1.0, 1]) == b"[9007199254740991,-9007199254740991,1,1]"
