"""Tensors to numbers. The only file of the probe that waits for a device.

Nothing here draws a random number, writes to a tensor of the user's, or keeps one alive. Callers hold `quiet()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nndoctor.record.model import TensorStats

# Statistics of a large tensor come from this many of its elements, evenly spaced: the error of a mean is then
# below one per cent of the deviation, and a step of a large model pays no more than one of a small one.
MOST_ELEMENTS = 65_536
_MOST_AXES = 32  # of an array of numpy's, before version 2


class quiet:  # noqa: N801 - used like a function, and a generator would cost five times as much on the hot path
    """No gradient is recorded and no torch-function mode (the user's or ours) sees what happens inside."""

    __slots__ = ("_functions", "_gradients")

    def __enter__(self) -> None:
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        self._gradients = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)

    def __exit__(self, *error: object) -> None:
        torch._C._set_grad_enabled(self._gradients)
        self._functions.__exit__(None, None, None)


def is_readable(tensor: Tensor) -> bool:
    """Whether its rows can be read: not those of a nested or sparse tensor, or of one on the device that holds no numbers."""
    return not (tensor.is_meta or tensor.is_nested) and tensor.layout == torch.strided


def is_spread(tensor: Tensor) -> bool:
    """Whether a tensor is one of which each process holds a part: a DTensor, told without importing its module."""
    return type(tensor).__module__.startswith("torch.distributed") and hasattr(tensor, "_local_tensor")


def local(tensor: Tensor) -> Tensor:
    """The tensor detached; of one that is spread over processes, this one's part. What is computed of the whole may call
    the others and wait for them, who do not know of it. Empty where the memory is given back for a while, as sharded
    training does: to read it would end the process.
    """
    t = tensor.detach()
    t = t._local_tensor if is_spread(t) else t  # type: ignore[attr-defined]
    return t.new_empty(0) if _is_freed(t) else t


def _is_freed(t: Tensor) -> bool:
    if t.layout != torch.strided or t.is_meta or not t.numel():
        return False
    try:
        return t.untyped_storage().nbytes() == 0
    except (NotImplementedError, RuntimeError):  # a subclass without memory of its own
        return False


def plain(tensor: Tensor) -> Tensor:
    """The tensor's values as a detached, dense, real tensor: float32 unless it is float64 already."""
    t = local(tensor)
    if t.is_sparse or t.layout != torch.strided:
        t = t.to_dense()
    if t.is_complex():
        t = t.abs()
    if t.is_quantized:
        t = t.dequantize()
    return t if t.dtype in (torch.float32, torch.float64) else t.to(torch.float32)


def thinned(tensor: Tensor, most: int = MOST_ELEMENTS) -> Tensor:
    """At most `most` elements of a tensor, evenly spaced, as one axis."""
    t = local(tensor).reshape(-1)
    return t if t.numel() <= most else t[:: -(-t.numel() // most)]


def slice_of(tensor: Tensor, most: int) -> Tensor:
    """A view of the leading elements of a dense tensor: cheap, and the same ones at every step. Complex ones are pairs of numbers."""
    t = local(tensor)
    if t.numel() > most:
        t = t.reshape(-1)[:most] if t.is_contiguous() else t.flatten()[:most]
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t


def number(tensor: Tensor) -> float:
    """One number from a tensor of one element. Waits for the device."""
    return float(local(tensor))


def numbers(tensors: Sequence[Tensor]) -> list[float]:
    """Tensors of one element as floats, in one transfer per device and type. Waits for the device."""
    tensors = [local(t) for t in tensors]
    kinds = {(t.device, t.dtype) for t in tensors}
    if len(kinds) == 1 and all(t.dim() == 0 for t in tensors):
        return [float(v) for v in torch.stack(list(tensors)).tolist()]
    out = [0.0] * len(tensors)
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for i, t in enumerate(tensors):
        groups.setdefault((t.device, t.dtype), []).append(i)
    for members in groups.values():
        values = torch.stack([tensors[i].detach().reshape(()) for i in members]).tolist()
        for i, v in zip(members, values, strict=True):
            out[i] = float(v)
    return out


def array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A copy of a tensor's values for numpy, its last axes as one where it has more than numpy does. Waits for the device."""
    t = local(tensor)
    if t.dtype == torch.bfloat16:
        t = t.float()
    if t.is_sparse:
        t = t.to_dense()
    if t.dim() > _MOST_AXES:
        t = t.flatten(_MOST_AXES - 1)
    return np.array(t.cpu().numpy(), copy=True)


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Euclidean norms, one 0-d tensor each, left on the device."""
    tensors = [local(t) for t in tensors]
    if all(t.layout == torch.strided and not t.is_complex() for t in tensors):
        by_kind: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for i, t in enumerate(tensors):
            by_kind.setdefault((t.device, t.dtype), []).append(i)
        if len(by_kind) == 1:
            return list(torch._foreach_norm(list(tensors)))
    return [torch.linalg.vector_norm(plain(t)) for t in tensors]


def batch_size(tensor: Tensor) -> int | None:
    """The length of the first axis, None for a scalar."""
    return int(tensor.shape[0]) if tensor.dim() else None


def tally(counts: dict[str, int], values: np.ndarray[Any, Any]) -> None:
    """Add to counts by value; whole numbers are spelt without a point, and no more than 1000 values are told apart."""
    for value, times in zip(*np.unique(values, return_counts=True), strict=True):
        key = str(int(value)) if float(value).is_integer() else f"{float(value):.6g}"
        if key in counts or len(counts) < 1000:
            counts[key] = counts.get(key, 0) + int(times)


def robust(rows: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Median and robust deviation of the columns of a table [rows, columns]: the interquartile range over 1.35, as of a normal distribution."""
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    return middle, (high - low) / 1.35


def outliers(rows: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Share of the values of a table [rows, columns] beyond 20 robust deviations of their column, and the largest distance, in such deviations.

    Columns that hold mostly one value have no robust deviation and are left out.
    It counts as no less than a tenth of what it is in the middle column: what is rare in a column that hardly varies (a pixel
    at the edge of a drawing) is no larger than what other columns hold all the time, and outweighs nothing.
    """
    middle, scale = robust(rows)
    usable = scale > 0
    if not usable.any():
        return 0.0, 0.0
    width = np.maximum(scale[usable], 0.1 * np.median(scale[usable]))
    distance = np.abs(rows[:, usable] - middle[usable]) / width
    return float((distance > 20).mean()), float(distance.max())


def describe(tensor: Tensor) -> TensorStats:
    """What one tensor holds. Waits for the device."""
    tensor = local(tensor)
    stats = TensorStats(list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
    if tensor.numel() == 0:
        return stats
    values = plain(thinned(tensor)).double()
    finite = torch.isfinite(values)
    good = values[finite]
    stats.nonfinite = 1.0 - good.numel() / values.numel()
    if good.numel() == 0:
        return stats
    stats.min, stats.max, stats.mean = numbers([good.min(), good.max(), good.mean()])
    stats.std = number(good.std(correction=0))
    stats.integers = bool((good == good.round()).all())
    distinct = torch.unique(good).numel() if good.numel() <= MOST_ELEMENTS else 1001
    stats.distinct = distinct if distinct <= 1000 else None
    if tensor.dim() >= 2 and tensor.is_floating_point() and tensor.shape[1] > 1:
        _describe_rows(tensor, stats)
    return stats


def _describe_rows(tensor: Tensor, stats: TensorStats) -> None:
    """Sums over the class axis: do rows hold probabilities, log-probabilities, or one-hot labels?"""
    rows = plain(tensor[:512]).double()
    sums = rows.sum(dim=1)
    stats.row_sum, stats.row_sum_spread = numbers([sums.mean(), (sums - 1).abs().max()])
    logs = rows.clamp(max=80).exp().sum(dim=1)
    stats.log_row_sum_spread = number((logs - 1).abs().max())
    ones = (rows == 1).sum(dim=1)
    stats.one_hot = bool(((rows == 0) | (rows == 1)).all() and (ones == 1).all())


class Later:
    """Numbers that are still on the device, each with what to do with it once it has come over.

    One transfer brings all of them, so the watched step itself never waits.
    """

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []
        self._uses: list[tuple[Callable[[list[float]], None], int]] = []

    def __len__(self) -> int:
        return len(self._tensors)

    def add(self, tensors: Sequence[Tensor], use: Callable[[list[float]], None]) -> None:
        """Have `use` called with the values of `tensors` (one element each, and ours to keep)."""
        self._tensors.extend(tensors)
        self._uses.append((use, len(tensors)))

    def settle(self) -> None:
        """Fetch everything that waits, and hand it out in the order in which it was added."""
        if not self._uses:
            return
        tensors, uses = self._tensors, self._uses
        self._tensors, self._uses = [], []
        values = numbers(tensors) if tensors else []
        start = 0
        for use, count in uses:
            use(values[start : start + count])
            start += count
