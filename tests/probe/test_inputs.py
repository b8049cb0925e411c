"""What is summed up of the inputs of a model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nndoctor.probe.inputs import InputWatch
from nndoctor.record.model import Features


def features(x: Tensor) -> Features:
    """Of rows that a model was called with once."""
    found: list[Features] = []
    watch = InputWatch(found.append)
    watch.saw(0, [x])
    watch.finish()
    return found[0]


def columns(*, narrow: float) -> Tensor:
    """Sixty rows of ten columns of about unit size, of which one is narrow; in it and in one of the others a row stands out."""
    x = torch.randn(60, 10, generator=torch.Generator().manual_seed(0))
    x[:, 0] *= narrow
    return x


def test_rare_values_of_a_narrow_column_are_no_outliers() -> None:
    """They are of the size that all other columns have; the same distance in a column like the others is an outlier."""
    edge, broken = columns(narrow=1e-3), columns(narrow=1.0)
    edge[7, 0] = 1.0
    broken[7, 0] = 1000.0

    assert 0.0 == features(edge).outliers
    assert 1 / 600 == pytest.approx(features(broken).outliers)
    assert features(broken).outlier_size > 500
