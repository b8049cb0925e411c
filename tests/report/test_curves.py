"""The report on a log, whole against gold files, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

from nndoctor.diagnosis.log import LogReading, judge
from nndoctor.logs.model import Log, Series
from nndoctor.report.curves import render, render_json
from nndoctor.report.page import Look
from tests.report.samples import noisy


def series(name: str, values: list[float], stride: int = 1) -> Series:
    return Series(name, [(float(i * stride), v) for i, v in enumerate(values, 1)])


LOGS = {
    "overfits": Log(
        "metrics.csv", "CSV", "step", series("train_loss_step", [0.1 + 2 * math.exp(-i / 30) * (1 + 0.1 * noisy(i)) for i in range(120)], 10),
        series("val_loss", [1.8, 1.2, 0.9, 0.95, 1.1, 1.3, 1.5, 1.8, 2.0, 2.2], 120), series("train_acc", [0.5, 0.8, 0.95, 0.99]), series("val_acc", [0.45, 0.6, 0.58, 0.57]),
        ["aux_loss"], ["The step starts over at line 9: the log holds several runs, of which the last is judged."],
    ),
    "breaks": Log("log.jsonl", "JSON lines", "row", series("loss", [2.3] * 12 + [math.nan] * 3), None),
    "learns": Log("trainer_state.json", "Hugging Face trainer state", "step", series("loss", [2 * 0.9**i for i in range(40)], 50), series("eval_loss", [2 * 0.92**i for i in range(0, 40, 4)], 200)),
    "short": Log("history.json", "JSON", "epoch", None, series("val_loss", [1.0, 0.9])),
}  # fmt: skip


def reading(name: str) -> LogReading:
    return judge(LOGS[name])


@pytest.mark.parametrize("name", LOGS)
def test_report(name: str, gold: Callable[[str, str], None]) -> None:
    """The report on each log is the gold file's."""
    gold(f"curves-{name}.txt", render(reading(name), Look(80)))


@pytest.mark.parametrize("name", LOGS)
def test_json(name: str) -> None:
    """The document says what the text says, and holds no number that JSON does not have."""
    document = json.loads(render_json(reading(name)), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))

    assert (1, reading(name).verdict, LOGS[name].source) == (document["schema_version"], document["verdict"], document["log"])
    assert [f.text for f in reading(name).findings] == [f["text"] for f in document["findings"]]
    assert {"training", "validation", "training_accuracy", "validation_accuracy"} == set(document["columns"])
    assert len(document["curves"]) == sum(column is not None for column in document["columns"].values())
