"""Logs that are text, as the tools write them: which curves they hold, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from nndoctor.errors import FileError
from nndoctor.logs.columns import curves, words
from nndoctor.logs.model import Log
from nndoctor.logs.read import read_log

KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.4,0.5,1.5\n1,0.6,1.1,0.55,1.3\n2,0.7,nan,0.6,inf\n"
LIGHTNING = """epoch,lr-SGD,step,train_loss_epoch,train_loss_step,val_loss
0,0.1,9,,1.9,
0,,19,,1.5,
0,,19,,,1.6
0,,19,1.8,,
1,,29,,1.2,
1,,39,,1.0,
1,,39,,,1.3
1,,39,1.1,,
"""
HUGGING = {
    "global_step": 300,
    "log_history": [
        {"epoch": 0.5, "grad_norm": 2.0, "learning_rate": 5e-5, "loss": 2.1, "step": 100},
        {"epoch": 1.0, "loss": 1.4, "step": 200},
        {"epoch": 1.0, "eval_accuracy": 0.8, "eval_loss": 1.5, "eval_runtime": 3.2, "step": 200},
        {"epoch": 1.5, "loss": 1.1, "step": 300},
        {"epoch": 1.5, "step": 300, "total_flos": 123456789012345678, "train_loss": 1.53, "train_runtime": 99.0},
    ],
}
YOLO = "      epoch,   train/box_loss,   train/cls_loss,  metrics/mAP50,   val/box_loss,  val/cls_loss\n 1, 1.5, 3.0, 0.1, 1.6, 3.1\n 2, 1.2, 2.0, 0.2, 1.4, 2.2\n"


def log_of(content: object, tmp_path: Path, name: str = "log.csv", **names: str) -> Log:
    """The curves of a file with this content."""
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / name).write_text(text, encoding="utf-8")
    return curves(read_log(tmp_path / name), **names)


def found(log: Log) -> tuple[str, list[float], str, list[float]]:
    """Names and values of both losses."""
    one, two = log.training, log.validation
    return one.name if one else "", one.values if one else [], two.name if two else "", two.values if two else []


def test_keras(tmp_path: Path) -> None:
    """Keras's CSVLogger: losses and accuracies by epoch, NaN and infinity as they are."""
    log = log_of(KERAS, tmp_path)
    name, values, other, held = found(log)

    assert ("loss", "val_loss", "epoch", "CSV") == (name, other, log.unit, log.format)
    assert [1.4, 1.1] == values[:2] and math.isnan(values[2])
    assert [1.5, 1.3, math.inf] == held
    assert log.training_accuracy is not None and log.validation_accuracy is not None
    assert ("accuracy", "val_accuracy") == (log.training_accuracy.name, log.validation_accuracy.name)


def test_lightning(tmp_path: Path) -> None:
    """Lightning's CSVLogger: a row holds what was logged at that moment and nothing else; of two training losses the finer one."""
    log = log_of(LIGHTNING, tmp_path)

    assert ("train_loss_step", [1.9, 1.5, 1.2, 1.0], "val_loss", [1.6, 1.3]) == found(log)
    assert log.training is not None and log.validation is not None
    assert [19.0, 39.0] == [place for place, _ in log.validation.points]
    assert (["train_loss_epoch"], "step") == (log.others, log.unit)


def test_hugging_face(tmp_path: Path) -> None:
    """trainer_state.json: its log history, without the mean over the run that stands at its end."""
    log = log_of(HUGGING, tmp_path, "trainer_state.json")

    assert ("loss", [2.1, 1.4, 1.1], "eval_loss", [1.5]) == found(log)
    assert ("Hugging Face trainer state", "step") == (log.format, log.unit)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"step": 1, "train": {"loss": 2.0}, "val": {"loss": 3.0}, "note": "x", "ok": true}\n\n{"step": 2, "train": {"loss": 1.0}, "val": {"loss": 2.5}}\n', "log.jsonl"),
        ([{"trainLoss": 2.0, "valLoss": 3.0}, {"trainLoss": 1, "valLoss": "2.5"}], "log.json"),
        ({"loss": [2.0, 1.0], "val_loss": [3.0, 2.5], "params": {"epochs": 2}}, "history.json"),
        ("step\ttrain loss\tdev loss\n1\t2\t3\n2\t1\t2.5\n", "log.tsv"),
        ("step;loss;test_loss\r\n1;2.0;3.0\r\n2;1.0;2.5\r\n", "log.csv"),
        ("\ufeff,loss,validation.loss\n0,2.0,3.0\n1,1.0,2.5\n", "pandas.csv"),
    ],
)
def test_plain_forms(content: object, name: str, tmp_path: Path) -> None:
    """JSON lines with nested objects, lists of objects, tables of lists, tabs, semicolons, and an index without a name."""
    _, training, _, validation = found(log_of(content, tmp_path, name))

    assert ([2.0, 1.0], [3.0, 2.5]) == (training, validation)


def test_several_losses(tmp_path: Path) -> None:
    """Of parts of a loss, the first is judged in training and its like in validation; the others are named."""
    log = log_of(YOLO, tmp_path)

    assert ("train/box_loss", [1.5, 1.2], "val/box_loss", [1.6, 1.4]) == found(log)
    assert ["train/cls_loss", "val/cls_loss"] == log.others


def test_named_columns(tmp_path: Path) -> None:
    """--train and --validation name columns of any name."""
    log = log_of(YOLO, tmp_path, training="train/cls_loss", validation="metrics/mAP50")

    assert ("train/cls_loss", [3.0, 2.0], "metrics/mAP50", [0.1, 0.2]) == found(log)


def test_log_of_several_runs(tmp_path: Path) -> None:
    """Where the epoch starts over, also behind a second line of names, the last run is judged, and said to be."""
    head = "epoch,loss\n"
    log = log_of(head + "0,3\n1,2\n2,1\n0,9\n" + head + "1,8\n", tmp_path)

    assert [9.0, 8.0] == found(log)[1]
    assert ["The epoch starts over at line 5: the log holds several runs, of which the last is judged."] == log.remarks


def test_last_line_that_is_not_whole(tmp_path: Path) -> None:
    """JSON lines that are still being written are read up to there."""
    log = log_of('{"loss": 2.0}\n{"loss": 1.0}\n{"lo', tmp_path, "log.jsonl")

    assert ([2.0, 1.0], 1) == (found(log)[1], len(log.remarks))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("epoch,loss\n", "holds no row"),
        ("1,2\n3,4\n", "names no columns"),
        ("epoch,accuracy\n1,0.5\n", "no column of a loss among epoch, accuracy; name one with --train or --validation"),
        ("epoch,loss\n1,2\n2,tensor(0.5)\n", "line 3: loss is 'tensor(0.5)', no number"),
        ("epoch,loss\n1,2,3\n", ":2: 3 cells, where the first line names 2"),
        ('epoch,loss\n1,"2\n', ":2: not CSV"),
        ('{"loss": 1}\nloss=2\n', ":2: not JSON"),
        ('{"loss": 1}\n[1]\n', ":2: not a JSON object"),
        ('{"loss": 1', "not JSON"),
        ("[1, 2]", "not a log: expected one JSON object a line"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"kind":"header","format":1,"nndoctor":"0.1.0","script":"t.py"}\n{"kind":"step","index":1}\n', "use `nndoctor diagnose"),
        ("a\0b,loss\n1,2\n", "holds null bytes"),
    ],
)
def test_malformed(content: str, said: str, tmp_path: Path) -> None:
    """What is no log is refused in a sentence that begins with the file, and says where and what."""
    with pytest.raises(FileError) as refused:
        log_of(content, tmp_path)

    assert said in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))


def test_unreadable(tmp_path: Path) -> None:
    """Binary files, missing files and unknown columns are refused."""
    (tmp_path / "weights.pt").write_bytes(b"PK\x03\x04\xff\xfe\x80")
    with pytest.raises(FileError, match="not UTF-8 text"):
        read_log(tmp_path / "weights.pt")
    with pytest.raises(FileError, match="no such file"):
        read_log(tmp_path / "missing.csv")
    with pytest.raises(FileError, match="no column 'nothing'; there are epoch, accuracy"):
        log_of(KERAS, tmp_path, training="nothing")


def test_words() -> None:
    """Names are taken apart at capitals, digits and signs."""
    assert [["val", "loss", "top", "1"], ["train", "loss"], ["global", "step"], ["mlm", "loss"]] == [words(n) for n in ("valLoss/top-1", "TrainLoss", "global_step", "MLMLoss")]
