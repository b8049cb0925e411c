"""Every symptom is tested because it exists, every threshold can be replaced, and no recording makes a detector raise."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nndoctor.diagnosis.engine import diagnose
from nndoctor.record.model import (
    RECORD_TYPES,
    End,
    Link,
    ModuleMode,
    OptimizerGroup,
    ParameterSample,
    Place,
    Recording,
    SettingChange,
    TensorStats,
)
from nndoctor.symptoms.catalogue import CATALOGUE, FACTS, NAMES, notice
from nndoctor.symptoms.model import SymptomInfo
from tests.symptoms.build import (
    change,
    geometric,
    header,
    healthy,
    inputs,
    links,
    reference,
    regression,
    run_of,
    spread,
    stuck,
)

NAN, INF = math.nan, math.inf
SUBJECTS = list(dict.fromkeys(info.subject for info in CATALOGUE))
WITH_THRESHOLD = [info for info in CATALOGUE if info.threshold is not None]
PARTS = (Place, OptimizerGroup, TensorStats, Link, ParameterSample)  # what records are made of


def cases(subject: str) -> Iterator[tuple[str, str, bool]]:
    """Calls in the tests of one subject: `symptom_of` or `lacks`, the symptom's name, and whether a limit is given."""
    tree = ast.parse(Path(__file__).with_name(f"test_{subject}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("symptom_of", "lacks"):
            assert isinstance(node.args[1], ast.Constant), ast.unparse(node)
            yield node.func.id, node.args[1].value, any(k.arg == "limit" for k in node.keywords)


def named(info: SymptomInfo) -> str:
    return info.name


# --- nothing is left out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("info", CATALOGUE, ids=named)
def test_a_symptom_has_a_case_and_a_near_miss(info: SymptomInfo) -> None:
    """The tests of its subject assert at least once that it holds and at least once that it does not."""
    found = set(cases(info.subject))

    assert {("symptom_of", info.name, False)} <= found
    assert {("lacks", info.name, False)} <= found


@pytest.mark.parametrize("info", WITH_THRESHOLD, ids=named)
def test_a_threshold_is_replaced_in_a_test(info: SymptomInfo) -> None:
    """The tests of its subject assert that with another threshold it does not hold any more."""
    assert ("lacks", info.name, True) in set(cases(info.subject))


@pytest.mark.parametrize(
    "info",
    WITH_THRESHOLD,
    ids=named,
)
def test_the_documented_threshold_is_the_one_that_decides(info: SymptomInfo) -> None:
    """What the catalogue says is what the detector compares with."""
    source = inspect.getsource(sys.modules[f"nndoctor.symptoms.{info.subject}"])
    defaults = re.findall(rf'thresholds\.get\("{info.name}", ([-+.\de]+)\)', source)

    assert {info.threshold} == {float(d) for d in defaults}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_threshold_is_read_that_the_catalogue_does_not_have(subject: str) -> None:
    """A misspelt name could never be replaced."""
    source = inspect.getsource(sys.modules[f"nndoctor.symptoms.{subject}"])

    assert set(re.findall(r'thresholds\.get\("([\w-]+)"', source)) <= {info.name for info in WITH_THRESHOLD}


# --- the catalogue itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_has_one_detector_for_each_of_its_symptoms(subject: str) -> None:
    """They bear the symptom's name, with underscores."""
    module = sys.modules[f"nndoctor.symptoms.{subject}"]

    assert {i.name for i in CATALOGUE if i.subject == subject} == {d.__name__.replace("_", "-") for d in module.DETECTORS}


def test_names_are_distinct_and_spelt_alike() -> None:
    """Words in lower case, joined by hyphens."""
    assert len(CATALOGUE) == len(NAMES)
    assert [] == [n for n in NAMES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", n)]


@pytest.mark.parametrize("info", CATALOGUE, ids=named)
def test_a_symptom_is_a_sentence_and_a_threshold_has_a_reason(info: SymptomInfo) -> None:
    """`nndoctor symptoms` prints them."""
    assert info.what.endswith(".")
    assert info.threshold is None or info.why


def test_facts_are_what_is_read_off_the_run() -> None:
    """A missing call is one, the course of the loss is none."""
    assert {"no-step", "double-softmax", "input-nonfinite", "weights-constant"} <= FACTS
    assert set() == {"loss-flat", "updates-huge", "dead-units", "learns"} & FACTS


def test_symptoms_come_in_the_order_of_their_subjects() -> None:
    """Curves first, the loop last; each at most once."""
    subject = {i.name: i.subject for i in CATALOGUE}
    for make in SAMPLES.values():
        found = [s.name for s in notice(make())]

        assert sorted(found, key=lambda n: SUBJECTS.index(subject[n])) == found
        assert len(set(found)) == len(found)


def test_a_healthy_run_shows_health_alone() -> None:
    """The two runs that the other recordings are made from have no symptom that speaks of a fault."""
    for make in (healthy, regression, spread):
        assert {"learns", "signal-present", "still-falling"} == {s.name for s in notice(make())}


# --- nothing raises -----------------------------------------------------------------------------------------------


def diverged() -> Recording:
    """Rises, and is NaN from step 40 on; squared error, everything large."""
    recording = regression(geometric(1.0, 1e6, 40) + [NAN] * 60, r2=-1e9)
    recording.features = [inputs(mean=1e3, std=1e3, outlier_size=1e4, outliers=0.001)]
    change(recording.steps[30:], gradient_norm=INF, unclipped_norm=INF, clip=1.0)
    change(recording.activations, std=1e9, saturated=0.9)
    for sample in recording.samples[1:]:
        change(sample.parameters, weight=1e9, update=1e8, gradient=1e-12)
    recording.settings = [SettingChange(50, 0, 0, {"lr": 1e-9})]
    return recording


def confused() -> Recording:
    """Everything that a loss can be given wrongly, in a net that is dead from the start and runs in eval mode."""
    recording = stuck()
    loss = recording.losses[0]
    for i, function in enumerate(("nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "mse_loss"), 1):
        recording.losses.append(dataclasses.replace(loss, index=i, function=function, chain=links("Softmax", "Relu", "Addmm")))
        recording.labels.append(dataclasses.replace(recording.labels[0], loss=i))
    recording.graphs[0].losses = [0, 1, 2, 3, 4, 5]
    change(recording.sites, dead_start=1.0, dead_end=1.0)
    change(recording.steps, training=False, carried=6, clip=1.0, unclipped_norm=1.0)
    recording.modes = [ModuleMode("net.norm", "BatchNorm1d", 0, 100, 1, 0)]
    recording.references[0].shifted, recording.references[0].shift = 0.5, 1
    recording.settings = [SettingChange(50, 0, 0, {"lr": 1e-9})]
    return recording


def one_step() -> Recording:
    """The healthy run cut off after its first step."""
    recording = healthy([2.3])
    recording.samples, recording.activations, recording.evaluations = recording.samples[:1], recording.activations[:1], []
    return recording


SAMPLES: dict[str, Callable[[], Recording]] = {
    "empty": lambda: Recording(header()),
    "cut off": lambda: Recording(header(), end=End("lost", 0, 0, 0, 0.0, 1.0)),
    "one step": one_step,
    "losses only": lambda: run_of(geometric(2.0, 1.0)),
    "no loss at all": lambda: run_of([None] * 50),
    "healthy": healthy,
    "regression": regression,
    "stuck": stuck,
    "diverged": diverged,
    "confused": confused,
    "spread": lambda: spread(lambda rank, step: [1.0 + rank + 0.1 * step] * 6, lambda rank, step: [1.0 - 2 * rank] * 6, lambda rank: [1, 2, 3, 4] * 5),
}


def sound(recording: Recording) -> None:
    """Detectors come to an end, and what they find is well-formed."""
    for s in notice(recording):
        assert 0 <= s.strength <= 1, f"{s.name}: strength {s.strength}"
        assert s.text.endswith("."), s.text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_recording_of_any_length_can_be_read(name: str) -> None:
    """Header only, one step, or a whole run; and the engine comes to a verdict."""
    recording = SAMPLES[name]()
    sound(recording)

    assert diagnose(recording).verdict in ("healthy", "sick", "inconclusive")


def test_a_recording_of_the_header_alone_has_no_symptoms() -> None:
    """Nothing seen is nothing found."""
    assert [] == notice(SAMPLES["empty"]())


def fields() -> Iterator[tuple[str, str, Any]]:
    """Every field of every record, and of the parts of records, with its type."""
    for cls in (*RECORD_TYPES, *PARTS):
        hints = typing.get_type_hints(cls)
        for f in dataclasses.fields(cls):
            yield cls.__name__, f.name, hints[f.name]


def everything(value: Any) -> Iterator[Any]:
    """All records of a recording, and the parts within them."""
    if dataclasses.is_dataclass(value):
        yield value
        for f in dataclasses.fields(value):
            yield from everything(getattr(value, f.name))
    elif isinstance(value, list):
        for item in value:
            yield from everything(item)


OPTIONAL = [(cls, name) for cls, name, hint in fields() if type(None) in typing.get_args(hint)]
NUMBERS = [(cls, name) for cls, name, hint in fields() if "float" in str(hint) or hint is float]
LISTS = [
    (cls, name) for cls, name, hint in fields()
    if typing.get_origin(hint) in (list, dict) and cls != "Features"  # whose lists are of equal length
]  # fmt: skip


def put(recording: Recording, cls: str, name: str, value: Callable[[Any], Any]) -> bool:
    """Replace that field wherever it stands, in frozen parts as well; whether it stands anywhere."""
    records = [r for r in everything(recording) if type(r).__name__ == cls]
    for record in records:
        object.__setattr__(record, name, value(getattr(record, name)))
    return bool(records)


@pytest.mark.parametrize(("cls", "name"), OPTIONAL)
def test_what_was_not_measured_may_be_none(cls: str, name: str) -> None:
    """Each optional field of each record in turn."""
    for make in SAMPLES.values():
        recording = make()
        if put(recording, cls, name, lambda _: None):
            sound(recording)


@pytest.mark.parametrize(
    ("cls", "name"),
    NUMBERS,
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, on means of NaN
def test_a_number_may_be_nan_infinite_or_zero(cls: str, name: str) -> None:
    """Each number and list of numbers of each record in turn."""
    for key in ("healthy", "diverged", "confused"):
        for number in (NAN, INF, -INF, 0.0):
            recording = SAMPLES[key]()
            if put(recording, cls, name, lambda v, n=number: [n] * len(v) if isinstance(v, list) else n):
                sound(recording)


@pytest.mark.parametrize(("cls", "name"), LISTS)
def test_lists_may_be_empty(cls: str, name: str) -> None:
    """Each list and each table of each record in turn."""
    for make in SAMPLES.values():
        recording = make()
        if put(recording, cls, name, lambda v: type(v)()):
            sound(recording)


@pytest.mark.parametrize("number", [None, NAN], ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_may_have_been_measured_at_all(number: float | None) -> None:
    """All optional fields at once."""
    for make in SAMPLES.values():
        recording = make()
        for cls, name in OPTIONAL:
            if number is None or (cls, name) in NUMBERS:
                put(recording, cls, name, lambda _: number)

        sound(recording)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Recording) if f.name != "header"])
def test_any_kind_of_record_may_be_missing(name: str) -> None:
    """The part of the watch that writes it failed; the others go on."""
    for make in SAMPLES.values():
        recording = make()
        setattr(recording, name, None if name == "end" else [])

        sound(recording)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_inputs_may_have_no_columns() -> None:
    """A model may be called with an empty tensor."""
    recording = healthy()
    recording.features = [inputs(columns=0, between=None)]

    sound(recording)


@pytest.mark.parametrize(
    "known",
    [
        "linear",
        "neighbours",
        "kernel",
    ],
)
def test_two_of_three_learners_may_have_failed(known: str) -> None:
    """A singular matrix, or too few rows."""
    recording = stuck()
    recording.references = [reference(0.1, None, None, None, shifted=0.9, shift=1)]
    change(recording.references, **{known: 0.9})

    sound(recording)


@pytest.mark.parametrize("info", WITH_THRESHOLD, ids=named)
@pytest.mark.parametrize("limit", [1e-300, 1e300], ids=str)
def test_a_threshold_may_be_any_positive_number(info: SymptomInfo, limit: float) -> None:
    """However small or large, nothing raises."""
    for make in SAMPLES.values():
        for s in notice(make(), {info.name: limit}):
            assert 0 <= s.strength <= 1, f"{s.name}: strength {s.strength}"
