"""Text from elsewhere in Markdown: names say what they say, and nothing of them becomes markup."""

from __future__ import annotations

import re

from markupsafe import Markup

# What opens raw HTML or an autolink, or is an entity (CommonMark 0.31, 6.5 and 6.6); "< 40 %" opens nothing.
_TAG, _ENTITY = re.compile(r"<(?=[A-Za-z/!?])"), re.compile(r"&(?=#?\w+;)")
_OPENS = re.compile(r"[\\`|\[\]]")


def in_markdown(text: str) -> str:
    """Escape a name, a title or a path, so that a reader of the Markdown sees just what it says.

    Neither raw HTML, nor links, nor code, nor cells of a table begin or end in it; it stays on one line.
    """
    if isinstance(text, Markup):  # `code_span` has seen to it
        return text
    escaped = _OPENS.sub(r"\\\g<0>", " ".join(text.split()))
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", escaped))


def code_span(text: str) -> Markup:
    """Show a text as code, between as many backticks as it takes; what looks like HTML is shown as text instead."""
    line = " ".join(text.split())
    if not line or _TAG.search(line):
        return Markup(in_markdown(line))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if line.startswith("`") or line.endswith("`") else ""
    return Markup(f"{fence}{room}{line}{room}{fence}")
