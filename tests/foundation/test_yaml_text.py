"""YAML of settings: any value comes back as it was written, and no text does more than be refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.yaml_text import MAX_CHARACTERS, YamlError, dump_yaml, parse_yaml

SETTINGS = settings(derandomize=True, deadline=None, max_examples=300)
WORDS = st.one_of(
    # Of control characters PyYAML turns some into others.
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12),
    st.text("0123456789.eE+-_:xo", max_size=8),
    st.sampled_from(
        ["no", "On", "YES", "y", "1e3", "0o17", "12e03", "010", "1:30", "null", "~", "", "=", "<<", "2020-01-01"]
    ),
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


@SETTINGS
@given(VALUES)
def test_what_is_written_is_read_back_equal(value: object) -> None:
    found = parse_yaml(dump_yaml({"a": value}))["a"]
    assert found == value and type(found) is type(value)


@SETTINGS
@given(st.text("ab:-?[]{},&*!|>'\"%@`#~ \n0123456789.<=", max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        parse_yaml(text)
    except YamlError as error:
        assert str(error)


@pytest.mark.parametrize(
    "text",
    [
        "!!timestamp 99999-01-01",
        "!!binary é",
        "!!omap 1",
        "!!set [1]",
        "!!int x",
        "!!float x",
        "!!bool x",
        "!!pairs {a: 1}",
        "!!python/object/apply:os.getpid []",
        "? [a]\n: b",
        "2021-02-30",
    ],
)
def test_values_that_do_not_fit_their_tag_are_told(text: str) -> None:
    with pytest.raises(YamlError):
        parse_yaml(text)


UNITS = ("- a\n", "k: ", "[", "{", "? ", "- ", "a", "'", "#", "!", "x: |\n a\n", '"\\u0041', "&a ", "[a: b, ")


@pytest.mark.parametrize("unit", UNITS)
def test_the_longest_text_takes_seconds(unit: str) -> None:
    began = time.process_time()
    with contextlib.suppress(YamlError):
        parse_yaml((unit * (MAX_CHARACTERS // len(unit) + 1))[:MAX_CHARACTERS])
    assert time.process_time() - began < 5


def test_plain_values_are_those_of_yaml_1_2() -> None:
    found = parse_yaml("{a: no, b: on, c: 010, d: 1e-3, e: 1:30, f: true, g: ~, h: 0x1F, i: 2015-12-31, j: 1_000}")
    assert list(found.values()) == ["no", "on", 10, 1e-3, "1:30", True, None, 31, dt.date(2015, 12, 31), "1_000"]
