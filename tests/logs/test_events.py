"""TensorBoard's event files: one that its own writer made, and what is damaged."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from pathlib import Path

import pytest

from nndoctor.errors import FileError
from nndoctor.logs.columns import curves
from nndoctor.logs.events import _masked, read_events
from nndoctor.logs.read import read_log

# Written by torch.utils.tensorboard.SummaryWriter: Loss/train as plain numbers (halved from 2 at steps 0, 10 .. 40, NaN at
# 50), Loss/val as tensors in double precision (1 and a quarter more each time), and a text.
WRITTEN = zlib.decompress(
    base64.b64decode(
        "eNrzYICAf5M85nKuTAoUyTxwy1GKN6koMTNPz7UsNa/EyihIj0unJDWvOL8oKT+xKEWvuDQ3N7GoUq+8KLMktUgvFaQqPi0zJzUeIrLy3I9WOai5N+8I"
        "GXHKFkHM1RLmEuTi8skvLtYvAVkgClTgcPXrdVUjqGoVybA3nK3FUNXqXKpcHGDVZYk5TjwcTEYcEGUf7L24uTi52IuTE3MSi4rnK86KVoCaoPl2ZQCn"
        "VAnEBAEuLDY22J8tf5hjAlUfZywew6lRCleP084vqHZ+ldyujmLnEpgZIth8af8gpm0fip3+ZXD1OO38gWqn/OKmcBQ7D8HMkMPmTzth1zUNKHYeKoer"
        "x2nnH1Q7p2vzn0Sx06QCaoYGNn/aiXYvnYli53mEepx2Mjig2Hk+PG4qip2OlVAzjLDYeaD+oZRkjTVUvZTymhjOWSZBkBRkwKXHJZiXX5KqX5JaURIP"
        "TbhO/BzsQixCTByMTqwZqTk5+V4cXGxcLCAl85Z5zQIATt7QRg=="
    )
)
NAME = "events.out.tfevents.1795269607.host.1.0"


def written(folder: Path, content: bytes = WRITTEN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)
    return folder / NAME


def field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer whose length stands before it."""
    return bytes([number << 3 | 2, len(content)]) + content


def record(content: bytes) -> bytes:
    """A record of an event file."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", _masked(length)) + content + struct.pack("<I", _masked(content))


def event(step: int, tag: str, value: float) -> bytes:
    """A record that holds one number."""
    return record(bytes([2 << 3, step]) + field(5, field(1, field(1, tag.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", value))))


def test_numbers_of_a_real_file(tmp_path: Path) -> None:
    """Plain numbers and numbers in tensors are read by tag and step; texts are not."""
    rows = read_events(written(tmp_path)).rows
    train = [(row.values["step"], row.values["Loss/train"]) for row in rows]

    assert [(10.0 * i, 2 * 0.5**i) for i in range(5)] == train[:-1]
    assert train[-1][0] == 50 and math.isnan(float(train[-1][1]))
    assert [1.0, 1.25, 1.5, 1.75, 2.0] == [row.values["Loss/val"] for row in rows if "Loss/val" in row.values]
    assert {"step", "Loss/train", "Loss/val"} == {name for row in rows for name in row.values}


def test_columns_of_a_real_file(tmp_path: Path) -> None:
    """Both curves are recognised by their tags, in steps."""
    log = curves(read_log(written(tmp_path)))

    assert log.training is not None and log.validation is not None
    assert ("step", "Loss/train", "Loss/val") == (log.unit, log.training.name, log.validation.name)


def test_directory_of_two_writers(tmp_path: Path) -> None:
    """Files in folders of one run are told apart by their folders, as Keras writes them."""
    for split, value in (("train", 1.0), ("validation", 2.0)):
        written(tmp_path / "run" / split, b"".join(event(i, "epoch_loss", value) for i in range(3)))
    log = curves(read_log(tmp_path / "run"))

    assert log.training is not None and log.validation is not None
    assert ("train/epoch_loss", [1.0] * 3) == (log.training.name, log.training.values)
    assert ("validation/epoch_loss", [2.0] * 3) == (log.validation.name, log.validation.values)


def test_resumed_run(tmp_path: Path) -> None:
    """A step that goes back takes what came after it away: the run was resumed from there."""
    path = written(tmp_path, b"".join(event(step, "loss", value) for step, value in [(1, 1.0), (2, 2.0), (3, 3.0), (2, 9.0)]))

    assert [(1.0, 1.0), (2.0, 9.0)] == [(row.values["step"], row.values["loss"]) for row in read_events(path).rows]


@pytest.mark.parametrize("missing", [1, 4, 20, 40])
def test_file_that_is_cut_off(missing: int, tmp_path: Path) -> None:
    """What was written before the end is read, and the reader is told."""
    table = read_events(written(tmp_path, b"".join(event(i, "loss", 1.0) for i in range(5))[:-missing]))

    assert len(table.rows) >= 3
    assert ["is still being written" in r for r in table.remarks] == [True]


@pytest.mark.parametrize(
    "content",
    [b"epoch,loss\n1,2\n" * 3, bytes(64), WRITTEN[:100] + b"\xff" + WRITTEN[101:], record(b"\xff" * 12), record(bytes([5 << 3 | 2, 100]) + b"\n"), record(bytes([5 << 3 | 3]))],
)
def test_damaged_file(content: bytes, tmp_path: Path) -> None:
    """Bytes that are no records, wrong checksums and broken messages are refused, with the file's name."""
    with pytest.raises(FileError, match=f"{NAME}: not an event file of TensorBoard, or a damaged one: "):
        read_events(written(tmp_path, content))


def test_directory_without_events(tmp_path: Path) -> None:
    """A directory with nothing to read is refused."""
    with pytest.raises(FileError, match="without TensorBoard's event files"):
        read_log(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    """A file without a record holds no loss, and that is what is said."""
    with pytest.raises(FileError, match="no column of a loss among none"):
        curves(read_log(written(tmp_path, b"")))
