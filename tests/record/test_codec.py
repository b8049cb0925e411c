"""Recordings as JSON lines: what is written can be read again, and what is no recording is refused with its place."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

import pytest

from nndoctor.errors import FileError
from nndoctor.record.codec import assemble, decode, encode, load, save
from nndoctor.record.model import (
    FORMAT,
    RECORD_TYPES,
    Activation,
    Header,
    OptimizerGroup,
    OptimizerInfo,
    Recording,
    SettingChange,
    Step,
)
from tests.symptoms.build import header, healthy, regression

NAN, INF = math.nan, math.inf
KINDS = [t.kind for t in RECORD_TYPES]  # type: ignore[attr-defined]


def filled(hint: Any, number: float) -> Any:
    """A value of that type in which nothing is left at its default and every float is that number."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return hint(**{f.name: filled(hints[f.name], number) for f in dataclasses.fields(hint)})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return filled(next(a for a in arguments if a is not type(None)), number)
    if origin is list:
        return [filled(arguments[0], number), filled(arguments[0], number)]
    if origin is dict:
        return {"a key": filled(arguments[1], number), "nan": filled(arguments[1], number)}
    if hint is Any:
        return number
    return {int: 7, float: number, str: "net.[0] «ä» \u2028 \"x\"\n", bool: True}[hint]


def written(*lines: str, to: Path) -> Path:
    to.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return to


# --- round trip ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0.1, -3e-300, NAN, INF, -INF], ids=str)
@pytest.mark.parametrize("cls", RECORD_TYPES, ids=KINDS)
def test_a_record_comes_back_as_it_was(cls: type, number: float) -> None:
    """Every kind, with every field set, and every float that one number; by their text, since NaN equals nothing."""
    record = filled(cls, number)

    line = encode(record)

    assert repr(record) == repr(decode(line))
    assert "\n" not in line


@pytest.mark.parametrize("cls", RECORD_TYPES, ids=KINDS)
def test_a_line_is_json_without_nan(cls: type) -> None:
    """Any reader of JSON can read it: non-finite numbers are words."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    for number in (NAN, INF, -INF):
        data = json.loads(encode(filled(cls, number)), parse_constant=refuse)

        assert cls.kind == data["kind"]  # type: ignore[attr-defined]


def test_numbers_are_spelt_as_documented() -> None:
    """`nan`, `inf` and `-inf`, in fields and lists alike; None is null."""
    line = json.loads(encode(Step(1, 0.5, NAN, gradient_norm=-INF, norms=[1.0, None, INF])))

    assert ("nan", "-inf", [1.0, None, "inf"]) == (line["loss"], line["gradient_norm"], line["norms"])


def test_defaults_are_left_out() -> None:
    """A line holds what differs; what is left out is read as its default."""
    step = Step(3, 0.25)

    assert {"kind": "step", "index": 3, "seconds": 0.25} == json.loads(encode(step))
    assert step == decode(encode(step))


def test_a_number_that_equals_its_default_but_is_of_another_type_is_written() -> None:
    """True is not 1, and the difference is kept."""
    loaded = decode(encode(Step(1, 0.0, backwards=True, training=False)))  # type: ignore[arg-type]

    assert (True, False) == (loaded.backwards, loaded.training)
    assert loaded.backwards is True


def test_whole_numbers_where_floats_stand_are_floats() -> None:
    """Another writer may drop the point."""
    step = decode('{"kind":"step","index":1,"seconds":2,"loss":3,"norms":[1,null]}')

    assert (float, float, float) == (type(step.seconds), type(step.loss), type(step.norms[0]))


def test_words_stay_words() -> None:
    """A module may be called nan; only where a number may stand does the word mean one."""
    record = Activation(1, "nan", "inf", NAN, None, None, 0.0, None, None)

    loaded = decode(encode(record))

    assert ("nan", "inf") == (loaded.site, loaded.function)
    assert math.isnan(loaded.mean)


def test_settings_keep_their_types() -> None:
    """Numbers, flags, words, pairs and nothing."""
    settings = {"lr": 0.1, "nesterov": True, "betas": [0.9, 0.999], "mode": "min", "foreach": None, "eps": INF}

    loaded = decode(encode(SettingChange(5, 0, 1, dict(settings))))

    assert settings == loaded.values


def test_settings_keep_infinity_within_pairs() -> None:
    """An optimiser's bounds may be infinite."""
    group = OptimizerGroup({"bounds": [-INF, INF]}, [0])

    assert [group] == decode(encode(OptimizerInfo(0, "LBFGSB", [group]))).groups


@pytest.mark.parametrize("make", [healthy, regression])
def test_a_recording_comes_back_as_it_was(make: Any, tmp_path: Path) -> None:
    """Saved and loaded; with NaN among the losses."""
    recording = make()
    recording.steps[50].loss = NAN
    path = tmp_path / "run.jsonl"

    save(recording, path)

    assert repr(recording) == repr(load(path))


def test_a_recording_with_every_kind_comes_back_as_it_was(tmp_path: Path) -> None:
    """None of the kinds has no list to go to."""
    head = filled(Header, 1.0)
    head.format = FORMAT
    recording = assemble([head, *(filled(t, INF) for t in RECORD_TYPES[1:])])
    path = tmp_path / "run.jsonl"

    save(recording, path)

    assert repr(recording) == repr(load(path))
    for f in dataclasses.fields(Recording):
        assert getattr(recording, f.name), f.name


def test_a_stream_that_broke_off_has_no_end() -> None:
    """What was written until then stands, in order of time."""
    recording = assemble([header(), Step(1, 0.0, 2.0), Step(2, 0.1, 1.0)])

    assert recording.end is None
    assert [1, 2] == [s.index for s in recording.steps]


# --- other writers ------------------------------------------------------------------------------------------------


def test_unknown_kinds_and_fields_are_passed_over(tmp_path: Path) -> None:
    """A later nndoctor may write more within the same format."""
    path = written(
        encode(header()),
        '{"kind":"horoscope","sign":"lion"}',
        "",
        '{"kind":"step","index":1,"seconds":0.5,"loss":2.0,"mood":"good"}',
        to=tmp_path / "run.jsonl",
    )

    assert decode('{"kind":"horoscope"}') is None
    assert [Step(1, 0.5, 2.0)] == load(path).steps


def test_unknown_fields_of_parts_are_passed_over() -> None:
    """Of places and links as well."""
    call = decode('{"kind":"call","what":"step","count":3,"place":{"file":"train.py","line":4,"column":8}}')

    assert ("train.py", 4) == (call.place.file, call.place.line)


def test_a_second_header_is_passed_over() -> None:
    """The first one counts: a restarted child may have written its own."""
    other = dataclasses.replace(header(), script="other.py")

    assert "train.py" == assemble([header(), other]).header.script


@pytest.mark.parametrize("records", [[], [Step(1, 0.0)]], ids=["nothing", "no header"])
def test_a_recording_begins_with_its_header(records: list[Any]) -> None:
    """Without it nothing is known of the run."""
    with pytest.raises(ValueError, match="begins with its header"):
        assemble(records)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("cut off in the middle", '{"kind":"step","ind'),
        ("no JSON", "epoch 1: loss 2.3"),
        ("JSON of another kind", "[1, 2]"),
        ("a number alone", "3"),
        ("no kind", '{"index":1}'),
        ("a required field is missing", '{"kind":"step","seconds":0.5}'),
        ("a word for a number", '{"kind":"step","index":1,"seconds":"soon"}'),
        ("nothing for a number", '{"kind":"step","index":1,"seconds":null}'),
        ("a number for a list", '{"kind":"step","index":1,"seconds":0.5,"norms":3}'),
        ("a word for a place", '{"kind":"call","what":"step","count":1,"place":"train.py:3"}'),
        ("a list for a table", '{"kind":"setting","step":1,"optimizer":0,"group":0,"values":[1]}'),
    ],
)
def test_a_line_that_is_none_is_told_with_its_number(why: str, line: str, tmp_path: Path) -> None:
    """File, line, and what to do."""
    path = written(encode(header()), encode(Step(1, 0.0)), line, to=tmp_path / "run.jsonl")

    with pytest.raises(FileError) as error:
        load(path)

    assert str(error.value).startswith(f"{path}:3: not a line of a recording"), why
    assert str(error.value).endswith("was it saved with --save?")


@pytest.mark.parametrize("lines", [[], ["", "  "], [encode(Step(1, 0.0))], ['{"kind":"horoscope"}']], ids=["empty", "blank", "no header", "unknown"])
def test_a_file_without_header_is_no_recording(lines: list[str], tmp_path: Path) -> None:
    """An empty file, or lines of something else."""
    path = written(*lines, to=tmp_path / "run.jsonl")

    with pytest.raises(FileError, match="its first line is no header"):
        load(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """Both numbers are told, and what to do; older ones are read."""
    newer, older = dataclasses.replace(header(), format=FORMAT + 1), dataclasses.replace(header(), format=0)
    path = written(encode(newer), to=tmp_path / "newer.jsonl")

    with pytest.raises(FileError, match=rf"format {FORMAT + 1} is newer than this nndoctor reads \({FORMAT}\); upgrade"):
        load(path)

    assert 0 == load(written(encode(older), to=tmp_path / "older.jsonl")).header.format


@pytest.mark.parametrize("number", ['"one"', "null"])
def test_a_format_that_is_no_number_is_refused(number: str, tmp_path: Path) -> None:
    """Whoever wrote that wrote no recording."""
    line = f'{{"kind":"header","format":{number},"nndoctor":"0.1.0","script":"train.py"}}'

    with pytest.raises(FileError):
        load(written(line, to=tmp_path / "run.jsonl"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, a folder, or no text."""
    binary = tmp_path / "model.pt"
    binary.write_bytes(b"PK\x03\x04\xff\xfe\x80")

    for path, words in (
        (tmp_path / "missing.jsonl", "No such file or directory"), (tmp_path, "Is a directory"), (binary, "utf-8"),
    ):  # fmt: skip
        with pytest.raises(FileError) as error:
            load(path)

        assert str(error.value).startswith(f"{path}: cannot be read: ")
        assert words in str(error.value)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Its folder does not exist."""
    path = tmp_path / "nowhere" / "run.jsonl"

    with pytest.raises(FileError) as error:
        save(healthy(), path)

    assert f"{path}: cannot be written: No such file or directory" == str(error.value)
