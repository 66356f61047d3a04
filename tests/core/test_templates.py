"""A team's template places values and computes nothing, whatever it is written like."""

import json
import tracemalloc
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.templates import MAX_DATA_BYTES, render, validate_template

CREDENTIAL = {"username": "v-orders-1", "password": "p&<a>'s\"s\\w/ö\n", "empty": ""}

ATTACKS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ username.__class__ }}",
    "{{ username['__class__'] }}",
    "{{ username|attr('__class__') }}",
    "{{ username|map('upper')|list }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 7 // 0 }}",
    "{{ -1 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ 'a' + 'b' }}",
    "{{ range(100000000)|list }}",
    "{% for a in range(100000000) %}x{% endfor %}",
    "{% for a in username %}{{ loop }}{% endfor %}",
    "{% if username %}x{% endif %}",
    "{{ username if username else password }}",
    "{% macro m() %}{{ m() }}{% endmacro %}",
    "{% call username() %}{% endcall %}",
    "{% include '/etc/passwd' %}",
    "{% import 'a' as b %}",
    "{% extends 'a' %}",
    "{% block a %}{% endblock %}",
    "{% set a = 1 %}",
    "{% set a %}x{% endset %}",
    "{% with a = 1 %}{% endwith %}",
    "{% filter trim %}x{% endfilter %}",
    "{% autoescape true %}{% endautoescape %}",
    "{{ lipsum() }}",
    "{{ dict(a=1) }}",
    "{{ [username] }}",
    "{{ {'a': 1} }}",
    "{{ username, password }}",
    "{{ username is defined }}",
    "{{ username == 'a' }}",
    "{{ not username }}",
    "{{ true }}",
    "{{ none }}",
    "{{ 1.5 }}",
    "{{ '\\ud800' }}",
    "{{ username|tojson(indent=1000000000) }}",
    "{{ username|trim('x') }}",
    "{{ username|center(1000000000) }}",
    "{{ username|format }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 0x" + "f" * 5000 + " }}",
    "{{ 1.\u0663 }}",
    "{{ " + "(" * 8000 + "username" + ")" * 8000 + " }}",
    "{{ " + "not " * 4000 + "username }}",
    "{{ username" + "|b64encode" * 1500 + " }}",
    "{{ username",
    "{% raw %}x",
    "{#x",
    "{{ }}",
    "\ud800",
]


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=lambda attack: attack[:40].encode("ascii", "replace").decode()
)
def test_whatever_computes_is_refused_with_a_sentence_that_names_the_field(attack: str) -> None:
    (problem,) = validate_template("mcp.json", attack, None)
    assert problem.startswith("spec.output.templates[mcp.json] ")
    assert problem.endswith(".")
    assert "a template may hold only text" in problem or "write it in UTF-8" in problem
    with pytest.raises(NeedsPerson) as fault:
        render({"mcp.json": attack}, CREDENTIAL)
    assert fault.value.reason is Reason.INVALID_SPEC


def test_text_values_constants_and_comments_are_placed_as_they_are() -> None:
    template = "{# ours #}user={{ username }}\n{% raw %}{{ kept }}{% endraw %}{{ ' x '|trim }}{{ 8200 }}\n"
    assert render({"a": template}, CREDENTIAL) == {"a": "user=v-orders-1\n{{ kept }}x8200\n"}


def test_tojson_gives_json_that_reads_back_as_the_value() -> None:
    rendered = render({"a": '{"password": {{ password|tojson }}, "port": {{ 5432|tojson }}}'}, CREDENTIAL)[
        "a"
    ]
    assert json.loads(rendered) == {"password": CREDENTIAL["password"], "port": 5432}
    assert "&<a>'s" in rendered


def test_b64encode_gives_the_bytes_of_the_value() -> None:
    rendered = render({"a": "{{ password|b64encode }}"}, CREDENTIAL)["a"]
    assert b64decode(rendered).decode() == CREDENTIAL["password"]


def test_filters_apply_from_left_to_right() -> None:
    assert render({"a": "{{ ' a '|trim|tojson }}"}, {}) == {"a": '"a"'}


def test_nothing_is_escaped_for_a_web_page() -> None:
    assert render({"a": "<b>{{ password }}"}, {"password": "<&>"}) == {"a": "<b><&>"}


def test_a_name_that_the_credential_lacks_is_named_with_those_that_it_has_and_no_value() -> None:
    with pytest.raises(NeedsPerson) as fault:
        render({"mcp.json": "{{ pasword }}"}, CREDENTIAL)
    assert fault.value.message == (
        "spec.output.templates[mcp.json] uses the name 'pasword', which this credential does not have; "
        "the names available are: empty, password, username."
    )


def test_a_name_outside_the_known_ones_is_found_before_anything_is_minted() -> None:
    assert validate_template("a", "{{ username }}", frozenset({"username"})) == []
    (problem,) = validate_template("a", "{{ user }}", frozenset({"username"}))
    assert "'user'" in problem


def test_a_value_that_cannot_be_encoded_is_the_credentials_fault_and_stays_unsaid() -> None:
    with pytest.raises(NeedsPerson) as fault:
        render({"a": "{{ password|b64encode }}"}, {"password": "hunter2\ud800"})
    assert fault.value.reason is Reason.DOES_NOT_FIT_TYPE
    assert "hunter2" not in fault.value.message
    assert fault.value.__context__ is None


@pytest.mark.parametrize("key", ["..", ".", "..data", "a/b", "ä", "a" * 254, ""])
def test_a_key_that_a_secret_cannot_have_is_refused(key: str) -> None:
    (problem,) = validate_template(key, "x", None)
    assert "a key that a Secret cannot have" in problem


@pytest.mark.parametrize(
    "greedy", ["{{ big }}" * 1800, "{{ big" + "|tojson" * 4 + " }}"], ids=["often", "long"]
)
def test_a_template_that_multiplies_a_large_value_is_refused_before_it_takes_memory(greedy: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NeedsPerson, match="larger than"):
            render({"a": greedy}, {"big": "\0" * 800_000})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_all_templates_of_a_secret_share_one_bound() -> None:
    half = {"big": "x" * (MAX_DATA_BYTES // 2)}
    assert len(render({"a": "{{ big }}", "b": "{{ big }}"}, half)) == 2
    with pytest.raises(NeedsPerson, match="larger than"):
        render({"a": "{{ big }}", "b": "{{ big }}", "c": "."}, half)


EXPRESSION = st.recursive(
    st.sampled_from(
        ["username", "password", "missing", "''", "'a\\nb'", "'\\ud800'", "0", "8200", "true", "1.5"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["tojson", "b64encode", "trim", "upper"])).map("|".join),
        st.tuples(inner, st.sampled_from([" ~ ", " + ", " * ", " ** ", ".", ", ", " == "]), inner).map(
            "".join
        ),
        inner.map("({})".format),
        inner.map("[{}]".format),
        inner.map("-{}".format),
        inner.map("{}()".format),
    ),
    max_leaves=6,
)
FRAGMENT = st.one_of(
    EXPRESSION.map("{{{{ {} }}}}".format),
    st.tuples(st.sampled_from(["if", "for x in", "set x =", "include", "raw", "-"]), EXPRESSION).map(
        lambda pair: "{% " + " ".join(pair) + " %}"
    ),
    st.text(alphabet=st.characters(), max_size=20),
    st.text(alphabet="{}%#-|'\"\\ \n0129_.٣exab()[]~", max_size=40),
)
TEMPLATE = st.lists(FRAGMENT, max_size=6).map("".join)


@given(TEMPLATE)
def test_a_template_is_either_refused_with_sentences_or_renders(template: str) -> None:
    problems = validate_template("a", template, frozenset(CREDENTIAL))
    try:
        rendered = render({"a": template}, CREDENTIAL)["a"]
    except NeedsPerson:
        assert problems
    else:
        assert problems == []
        assert len(rendered.encode()) <= MAX_DATA_BYTES


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_value_survives_tojson_and_b64encode(value: str) -> None:
    rendered = render({"j": "{{ v|tojson }}", "b": "{{ v|b64encode }}", "v": "{{ v }}"}, {"v": value})
    assert json.loads(rendered["j"]) == value
    assert b64decode(rendered["b"]).decode() == value
    assert rendered["v"] == value
