from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heartprint.pages.markdown import code_span, in_markdown

NAMES = st.text(st.sampled_from("ab1 <>/!?&;#`|\\[]()*_\n\t\r\u2028é"), max_size=30)


def unescaped(text: str) -> str:
    """What a reader of the Markdown sees: backslash escapes and entities resolved (CommonMark 0.31, 2.4 and 2.5)."""
    return re.sub(r"\\([\\`|\[\]])|&(lt|amp);", lambda m: m[1] or {"lt": "<", "amp": "&"}[m[2]], text)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(NAMES)
@example("<script>alert(1)</script>")
@example("\\<img src=x>")
@example("&lt;b&gt; &#60;b>")
@example("[a](javascript:b)")
def test_a_name_stays_what_it_is_and_opens_nothing(name: str) -> None:
    escaped = in_markdown(name)
    assert not re.search(r"<[A-Za-z/!?]", escaped)
    assert len(escaped.splitlines()) <= 1
    # Every character that opens something has an odd number of backslashes before it.
    for found in re.finditer(r"(\\*)[`|\[\]]", escaped):
        assert len(found[1]) % 2 == 1
    assert unescaped(escaped) == " ".join(name.split())


@settings(derandomize=True, deadline=None, max_examples=400)
@given(NAMES)
@example("a`b")
@example("``")
@example("`<b>`")
def test_code_ends_where_it_ends(name: str) -> None:
    span, line = str(code_span(name)), " ".join(name.split())
    if not line or re.search(r"<[A-Za-z/!?]", line):
        assert span == in_markdown(line)
        return
    fence = re.match(r"`+", span)
    assert fence and span.endswith(fence[0])
    inside = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall(r"`+", inside)
    assert inside.strip(" ") == line.strip(" ")


@pytest.mark.parametrize("name", ["LVEF < 40 %", "a & b", "Vorhofflimmern (VHF)", "label_af"])
def test_ordinary_names_are_left_alone(name: str) -> None:
    assert in_markdown(name) == name


def test_what_is_code_already_is_not_escaped_again() -> None:
    assert in_markdown(code_span("a|b")) == "`a|b`"
