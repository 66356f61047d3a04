"""What is typed after `-l` selects what it selects in kubectl."""

import pytest

from leasehold.core.label_selector import BadSelector, parse_selector

LABELS = {"env": "prod", "tier": "gold", "app.example.com/name": "bot", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("env=prod", True),
        ("env==prod", True),
        ("env=test", False),
        ("env=prod,tier=gold", True),
        ("env=prod,tier=tin", False),
        ("env=prod,env=test", False),
        ("env=prod,env=prod", True),
        ("env!=test", True),
        ("env!=prod", False),
        ("absent!=x", True),
        ("env in (prod, test)", True),
        ("env in (test),tier=gold", False),
        ("env notin (prod)", False),
        ("absent notin (x)", True),
        ("tier", True),
        ("absent", False),
        ("!absent", True),
        ("! tier", False),
        ("app.example.com/name=bot", True),
        ("empty=", True),
        (" env = prod , tier in ( gold,silver ) ", True),
    ],
)
def test_a_selector_selects_as_in_kubectl(text: str, selected: bool) -> None:
    assert parse_selector(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    "text", ["", "a b", "a in b", "a=b c", "-a", "a=b,", "a>1", "a in (", "=b", "a=" + "x" * 64]
)
def test_what_is_no_selector_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(BadSelector, match=r"is no label selector: write it as kubectl takes it"):
        parse_selector(text)
