from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from heartprint.foundation.config import apply_overrides, load_config, read_yaml, save_config, validate_config
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.yaml_text import YamlError, parse_yaml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    crop_scale: tuple[float, float] = (0.1, 1.0)
    blur: float = 0.5


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    method: Literal["one", "two"] = "one"
    batch_size: int = Field(default=8, ge=2)
    learning_rate: float = 1e-3
    until: dt.date | None = None
    inner: Inner = Inner()
    maybe: Inner | None = None
    several: list[Inner] = []
    by_name: dict[str, Inner] = {}


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refuse(code: str, overrides: list[str], path: Path | None = None) -> str:
    with pytest.raises(HeartprintError) as caught:
        load_config(path, overrides, Outer)
    assert caught.value.code == code
    return caught.value.message


def test_defaults_file_and_overrides_in_that_order(tmp_path: Path) -> None:
    assert load_config(None, [], Outer) == Outer()
    path = write(tmp_path, "batch_size: 16\ninner:\n  blur: 0.25\nuntil: 2015-12-31\n")
    found = load_config(path, ["batch_size=32", "inner.crop_scale=[0.2, 0.9]", "learning_rate=3e-4"], Outer)
    assert found == Outer(
        batch_size=32,
        learning_rate=3e-4,
        until=dt.date(2015, 12, 31),
        inner=Inner(crop_scale=(0.2, 0.9), blur=0.25),
    )
    assert load_config(path, ["batch_size=32", "batch_size=64", "until=null"], Outer).batch_size == 64


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "# nothing\n"), [], Outer) == Outer()


def test_saved_and_loaded_is_equal(tmp_path: Path) -> None:
    config = Outer(method="two", until=dt.date(2015, 1, 2), inner=Inner(blur=0.1), maybe=Inner(), several=[Inner()])
    save_config(tmp_path / "c.yaml", config)
    assert load_config(tmp_path / "c.yaml", [], Outer) == config


def test_overrides_leave_the_values_alone() -> None:
    values = {"inner": {"blur": 1.0}}
    assert apply_overrides(values, ["inner.blur=2", "inner.new=3"]) == {"inner": {"blur": 2, "new": 3}}
    assert values == {"inner": {"blur": 1.0}}


@pytest.mark.parametrize(
    ("override", "named", "nearest"),
    [
        ("batchsize=3", "batchsize", "batch_size"),
        ("inner.crop=[0, 1]", "inner.crop", "crop_scale"),
        ("maybe.blurr=1", "maybe.blurr", "blur"),
        ("several=[{blr: 1}]", "several.0.blr", "blur"),
        ("by_name.x.cropscale=1", "by_name.x.cropscale", "crop_scale"),
    ],
)
def test_unknown_setting_names_the_nearest(override: str, named: str, nearest: str) -> None:
    message = refuse("bad-config", [override])
    assert f"no setting '{named}'" in message and f"Did you mean '{nearest}'" in message


def test_unknown_setting_without_a_near_one_lists_the_known() -> None:
    assert "Known: blur, crop_scale" in refuse("bad-config", ["inner.zzz=1"])


def test_every_bad_value_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "batch_size: 1\nmethod: three\n")
    message = refuse("bad-config", ["learning_rate=fast"], path)
    for part in (str(path), "'batch_size' is 1", "'method' is 'three'", "'learning_rate' is 'fast'"):
        assert part in message


@pytest.mark.parametrize("override", ["batch_size", "=3", "inner..blur=1", "batch_size.deep=1", "inner=[1"])
def test_bad_overrides(override: str) -> None:
    values = ["batch_size=4", override]
    assert override in refuse("bad-override", values)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    refuse("config-missing", [], tmp_path / "absent.yaml")
    refuse("config-missing", [], tmp_path)
    assert "line 2" in refuse("config-damaged", [], write(tmp_path, "a: 1\nb: }\n"))
    refuse("config-damaged", [], write(tmp_path, "- just\n- a list\n"))
    refuse("config-damaged", [], write(tmp_path, "1: number\n"))


def test_no_python_objects_come_out_of_yaml(tmp_path: Path) -> None:
    refuse("config-damaged", [], write(tmp_path, "batch_size: !!python/object/apply:os.getpid []\n"))


def test_errors_of_validators_pass_unchanged() -> None:
    from heartprint.pretraining.config import PretrainConfig

    for values, code in (({"method": "bcll"}, "unknown-method"), ({"backbone": "smal"}, "unknown-backbone")):
        with pytest.raises(HeartprintError, match="Did you mean") as caught:
            validate_config(values, PretrainConfig)
        assert caught.value.code == code


def test_a_date_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    assert "month" in refuse("bad-override", ["until=2000-13-01"])
    refuse("config-damaged", [], write(tmp_path, "until: 2021-02-30\n"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("off", "off"), ("y", "y"), ("NO", "NO"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("1e-3", 1e-3), ("1.5E2", 150.0), ("-.5", -0.5), ("12", 12), ("+3", 3), ("0x1F", 31), ("0o17", 15),
        ("010", 10), ("1:30", "1:30"), ("1_000", "1_000"), ("0b11", "0b11"),
        ("2019-05-31", dt.date(2019, 5, 31)), ("1.2.3", "1.2.3"), ("'1'", "1"),
    ],
)  # fmt: skip
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Against the core schema (yaml.org/spec/1.2.2, 10.3.2), and dates."""
    found = parse_yaml(f"a: {text}\n")["a"]
    assert found == value and type(found) is type(value)


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (laughs(9), "more than 30,000 values"),
        ("a: &a [*a]", "not there before"),
        ("[" * 60 + "]" * 60, "levels deep"),
        ("{a: " * 5000, "levels deep"),
        ("x" * 1_000_001, "characters"),
        ("steps: 1\nsteps: 2", "'steps' is there twice"),
        ("a: {b: 1, b: 2}", "twice"),
        ("a: 2021-02-30", "day"),
        ("a: !!python/object/apply:os.system ['true']", "constructor"),
        ("a: " + "9" * 5000, "digits"),
        ("a: [1, 2", "line"),
        ("a: *b", "*b"),
        ("- &x 1\n--- \n- 2", "document"),
    ],
)
def test_yaml_that_is_none_or_swells_is_refused_at_once(text: str, word: str) -> None:
    began = time.process_time()
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert word in str(caught.value) and len(str(caught.value)) < 300
    assert time.process_time() - began < 3


def test_aliases_are_taken_within_bounds() -> None:
    assert parse_yaml("a: &x {b: [1, 2]}\nc: *x\nd: {<<: *x, e: 1}\n") == {
        "a": {"b": [1, 2]},
        "c": {"b": [1, 2]},
        "d": {"b": [1, 2], "e": 1},
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, width=32) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_what_is_written_is_read_back(value: object) -> None:
    """What PyYAML writes for YAML 1.1 means the same here."""
    assert parse_yaml(yaml.safe_dump({"a": value}, allow_unicode=True)) == {"a": value}


def test_a_configuration_is_an_ordinary_file_of_some_size(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("a: 1\n" * 300_000)
    with pytest.raises(HeartprintError) as caught:
        read_yaml(tmp_path / "large.yaml")
    assert caught.value.code == "file-too-large"
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(HeartprintError) as caught:
            read_yaml(path)
        assert caught.value.code == "config-missing"
