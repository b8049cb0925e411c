"""What a simple learner makes of the same rows when it is told of place: neighbouring pixels and samples, the order of tokens.

A ridge regression on features that a convolution, or a reader in order, would have: responses to small patches of the
rows themselves, pooled over all places (Coates, Ng and Lee 2011), or where tokens stand and which follow each other.
Set beside learners that know nothing of place, it tells whether the data have a structure of this kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]
_MOST_ROWS = 500
_FILTERS = 64
_PATCH_1D, _PATCH_2D = 7, 5
_LEAST_PLACES = 12  # below which there is no neighbourhood worth the name
_BUCKETS = 64  # tokens are told apart modulo this
_MOST_PLACES = 1024
_AT_ONCE = 32  # rows: all their patches are laid out side by side


def views(rows: _Array) -> list[_Array]:
    """Features [n, m] for each way of reading rows [n, ...] that may have an order; none where they hardly can.

    Whole numbers [n, t] are tokens; reals are images [n, c, h, w], sequences [n, t, c] or [n, c, t], and rows [n, d], a
    line of samples or, where d is a square number, an image that was flattened.
    """
    rows = rows[:_MOST_ROWS]
    if rows.ndim == 2 and rows.dtype.kind in "iu":
        return [_tokens(rows)] if rows.shape[1] >= 4 else []
    if rows.dtype.kind != "f" or not np.isfinite(rows).all():
        return []
    if rows.ndim == 4:
        return [_patches(rows)] if min(rows.shape[2:]) > _PATCH_2D else []
    if rows.ndim == 3:
        return [_patches(r[:, :, None, :]) for r in (np.moveaxis(rows, 1, 2), rows) if r.shape[2] >= _LEAST_PLACES and r.shape[1] <= 64]
    if rows.ndim != 2 or rows.shape[1] < _LEAST_PLACES:
        return []
    side = round(rows.shape[1] ** 0.5)
    line = [_patches(rows[:, None, None, :])]
    return [*line, _patches(rows.reshape(len(rows), 1, side, side))] if side * side == rows.shape[1] and side > _PATCH_2D else line


def _patches(images: _Array) -> _Array:
    """Responses [n, 3 * filters] of images [n, c, h, w] to patches drawn from them: largest, mean, and share that is positive."""
    images = images.astype(np.float32)
    spread = images.std()
    images = (images - images.mean()) / (spread if spread > 0 else 1.0)
    n, _, height, width = images.shape
    high, wide = (1, _PATCH_1D) if height == 1 else (_PATCH_2D, _PATCH_2D)
    step = max(1, int(np.ceil((height * width / _MOST_PLACES) ** (1.0 if height == 1 else 0.5))))
    windows = np.lib.stride_tricks.sliding_window_view(images, (high, wide), axis=(2, 3))[:, :, :: 1 if height == 1 else step, ::step]
    windows = np.moveaxis(windows, 1, 3)  # [n, places down, places across, c, high, wide]
    down, across = windows.shape[1:3]
    draw = np.random.default_rng(0)
    chosen = windows[draw.integers(0, n, _FILTERS), draw.integers(0, down, _FILTERS), draw.integers(0, across, _FILTERS)].reshape(_FILTERS, -1)
    filters = chosen / (np.linalg.norm(chosen, axis=1, keepdims=True) + 1e-6)
    features = np.empty((n, 3 * _FILTERS))
    for i in range(0, n, _AT_ONCE):
        part = windows[i : i + _AT_ONCE]
        response = part.reshape(len(part), down * across, -1) @ filters.T
        features[i : i + _AT_ONCE] = np.concatenate([response.max(1), np.maximum(response, 0).mean(1), (response > 1).mean(1)], axis=1)
    return features


def _tokens(ids: _Array) -> _Array:
    """Where each token stands on average (0 to 1; -1: nowhere), and how often each follows each [n, 64 + 1024]."""
    codes = np.abs(ids[:, :512].astype(np.int64)) % _BUCKETS
    n, length = codes.shape
    counts, sums, pairs = np.zeros((n, _BUCKETS)), np.zeros((n, _BUCKETS)), np.zeros((n, 1024))
    line = np.arange(n)[:, None]
    np.add.at(counts, (line, codes), 1.0)
    np.add.at(sums, (line, codes), np.arange(length)[None] / length)
    np.add.at(pairs, (line, (codes[:, :-1] * 37 + codes[:, 1:]) % 1024), 1.0)
    return np.concatenate([np.where(counts > 0, sums / np.maximum(counts, 1), -1.0), pairs], axis=1)
