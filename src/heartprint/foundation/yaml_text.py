"""YAML as settings are written: plain values of YAML 1.2, bounded in depth, size and repetition.

YAML 1.1 takes ``no``, ``on`` and ``yes`` for truth values, ``1:30`` for ninety and ``010`` for eight, and leaves
``1e-3`` a word; YAML 1.2 (2009, core schema) does none of that. A file of 500 bytes whose aliases name aliases can
stand for gigabytes: what a text stands for is counted before anything is built.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_CHARACTERS = 300_000
MAX_DEPTH = 50
MAX_NODES = 30_000
"""Nodes that a text may stand for, aliases written out."""


class YamlError(ValueError):
    """What is wrong with a text, in words, with the line where it is known."""


class _Loader(yaml.SafeLoader):
    """The safe loader with the plain scalars of YAML 1.2, and dates."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        seen: set[Any] = set()
        for key, _ in node.value:
            value = self.construct_object(key, deep=True)
            if isinstance(value, str | int | float | None) and value in seen:
                raise YamlError(f"line {key.start_mark.line + 1}: '{value}' is there twice")
            if isinstance(value, str | int | float | None):
                seen.add(value)
        return super().construct_mapping(node, deep=deep)


# Its own, not those of the class that it derives from.
_Loader.yaml_implicit_resolvers = {}


def _plain(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), list(first))


_plain("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_plain("null", "~|null|Null|NULL|", "~nN\0")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"\Z"), [""])
_plain("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_plain(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+0123456789.",
)
_plain("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]+(?:Z|[-+][0-9:]+)?)?", "0123456789")
_plain("merge", "<<", "<")


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > 400:
        raise YamlError(f"line {node.start_mark.line + 1}: a number of {len(text)} digits")
    for prefix, base in (("0o", 8), ("0x", 16)):
        if text.startswith(prefix):
            return int(text[2:], base)
    return int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _int)


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which puts words in quotes that either version of YAML takes for something else."""


for _first, _resolvers in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _resolvers:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def dump_yaml(values: Any) -> str:
    """Plain values as YAML; `parse_yaml` reads them back equal, but for control characters."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def parse_yaml(text: str) -> Any:
    """Read one YAML document.

    Args:
        text: The document.

    Returns:
        Plain values: dictionaries, lists, text, numbers, truth values, dates and None.

    Raises:
        YamlError: It is not YAML, says a key twice, or is deeper or larger than settings can be.
    """
    if len(text) > MAX_CHARACTERS:
        raise YamlError(f"{len(text):,} characters; up to {MAX_CHARACTERS:,} are read")
    try:
        _count(text)
        # A subclass of the safe loader: nothing but plain values is built.
        return yaml.load(text, Loader=_Loader)
    except YamlError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(_first_line(error)) from error
    except Exception as error:  # PyYAML meets values that do not fit their explicit tag with many kinds of error
        raise YamlError("a value does not fit its tag (!!...)") from error


def _count(text: str) -> None:
    """See that a text stands for no more than it may: every alias counts as all that it names."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise YamlError(f"*{event.anchor} names what is not there before it")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = total - before
        if total > MAX_NODES:
            raise YamlError(f"it stands for more than {MAX_NODES:,} values")
        if len(open_) > MAX_DEPTH:
            raise YamlError(f"it is nested more than {MAX_DEPTH} levels deep")


def _first_line(error: Exception) -> str:
    # A ValueError is of a date that does not exist, such as 2021-02-30.
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
    return f"line {mark.line + 1}: {what}" if mark is not None else str(what)
