"""Configurations: a YAML file, ``key=value`` on top, one validated object out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import pydantic
from pydantic import BaseModel

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import read_text, write_text
from heartprint.foundation.yaml_text import MAX_CHARACTERS, YamlError, dump_yaml, parse_yaml

M = TypeVar("M", bound=BaseModel)


def load_config(path: str | Path | None, overrides: Sequence[str], model: type[M]) -> M:
    """Read a YAML file, put ``key=value`` settings on top and validate the result.

    Args:
        path: YAML file, or None for the defaults.
        overrides: Settings like ``batch_size=32`` or, nested, ``augment.crop_scale=[0.2, 1]``; values are YAML.
        model: What the configuration must fit; a pydantic model that forbids unknown settings.

    Raises:
        HeartprintError: ``config-missing``, ``config-damaged``, ``bad-override`` or ``bad-config``; an unknown
            setting is named together with the nearest known one.
    """
    values = {} if path is None else read_yaml(path)
    where = "" if path is None else str(path)
    # A model may let a group be written as one word; single settings can be put on top of the group alone.
    expanded = getattr(model, "expanded", dict)
    return validate_config(apply_overrides(expanded(values), overrides), model, where=where)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds settings.

    Raises:
        HeartprintError: ``config-missing`` or ``config-damaged``.
    """
    try:
        text = read_text(Path(path), MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        raise HeartprintError(
            "config-missing", f"The configuration {path} cannot be read ({error}). Give the path of a YAML file."
        ) from error
    return _mapping(text, f"{path}")


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Put ``key=value`` settings on top of others, which stay as they are.

    Args:
        values: Settings, possibly nested.
        overrides: ``key=value`` or ``outer.inner=value``; values are parsed as YAML. Later ones win.

    Raises:
        HeartprintError: ``bad-override``.
    """
    result = _copied(values)
    for override in overrides:
        key, equals, text = override.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise HeartprintError(
                "bad-override", f"'{override}' is no setting. Write it as key=value, for example batch_size=32."
            )
        try:
            value = parse_yaml(text)
        except YamlError as error:
            raise HeartprintError(
                "bad-override",
                f"The value of '{override[:200]}' is not YAML ({error}). Check its brackets and dates.",
            ) from error
        inner = result
        for part in parts[:-1]:
            step = inner.setdefault(part, {})
            if not isinstance(step, dict):
                raise HeartprintError(
                    "bad-override", f"'{override}' does not fit: '{part}' is a value ({step!r}), not a group."
                )
            inner = step
        inner[parts[-1]] = value
    return result


def validate_config(values: Mapping[str, Any], model: type[M], *, where: str = "", within: str = "") -> M:
    """Make a configuration of plain values.

    Args:
        values: Settings, possibly nested.
        model: What they must fit.
        where: Where they come from, for the message.
        within: Name of the group that they are, if they are one of a larger configuration.

    Raises:
        HeartprintError: ``bad-config``, naming every setting that is unknown (with the nearest known one) or has an
            impossible value; or what a validator of the model raises (``unknown-layout``...).
    """
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        told = list(dict.fromkeys(_tell(problem, model, within) for problem in error.errors()))
        place = f" in {where}" if where else ""
        raise HeartprintError("bad-config", f"The settings{place} cannot be used: {' '.join(told)}") from error


def save_config(path: Path, config: BaseModel) -> None:
    """Write a configuration as YAML, atomically, every setting spelled out; `load_config` reads it back equal."""
    write_text(path, dump_yaml(config.model_dump(mode="json")))


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        values = parse_yaml(text)
    except YamlError as error:
        raise HeartprintError("config-damaged", f"{where} is not YAML ({error}). Fix that line.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise HeartprintError(
            "config-damaged", f"{where} does not hold settings. Write one 'key: value' per line, keys being words."
        )
    return values


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _tell(problem: Any, model: type[BaseModel], within: str) -> str:
    key = ".".join(str(part) for part in (*filter(None, [within]), *problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = sorted(_names_beside(problem["loc"], model))
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.4)
        hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}." if known else ""
        return f"there is no setting '{key}'.{hint}"
    if problem["type"] == "missing":
        return f"'{key}' is missing."
    message = str(problem["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:].rstrip(".")
    return f"'{key}' is {problem['input']!r}: {message}." if key else f"{message}."


def _names_beside(location: tuple[Any, ...], model: type[BaseModel]) -> set[str]:
    """Names of the settings at the level where an unknown one stands."""
    level = [model]
    for part in location[:-1]:
        # A part that is no field is a list index, a mapping's key or a union's tag: the level stays.
        fields = [each.model_fields[part] for each in level if isinstance(part, str) and part in each.model_fields]
        if fields:
            level = [inner for each in fields for inner in _models_in(each.annotation)]
    return {field.alias or name for each in level for name, field in each.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
