"""The table by layer."""

from __future__ import annotations

import math

import pytest

from nndoctor.record.model import (
    Activation,
    Header,
    ParameterInfo,
    ParameterSample,
    Recording,
    Sample,
    Site,
)
from nndoctor.report.layers import Layer, layer_table, layers
from nndoctor.report.page import Look, Page
from tests.report import samples


def parameter(index: int, name: str, module: str, kind: str = "Linear") -> ParameterInfo:
    return ParameterInfo(index, name, [4, 4], "float32", True, module, kind, 0)


def measured(*, gradient: float | None = 0.1, weight: float = 1.0, update: float | None = 0.01) -> ParameterSample:
    return ParameterSample(0, weight, update, gradient, 0.0, 0.0)


def table(recording: Recording, width: int = 80) -> list[str]:
    page = Page(Look(width))
    layer_table(page, recording)
    return page.result().splitlines()


def test_rows_of_a_network() -> None:
    """Modules with and without parameters, in the order of the forward pass, each with all that is known of it."""
    recording = Recording(Header(1, "0.1.0", "train.py"))
    samples.network(recording)
    samples.sampled(recording)
    first, bend, last = layers(recording)

    assert ("net.0", "Linear", [0, 1]) == (first.name, first.type, first.parameters)
    assert pytest.approx(math.hypot(4e-4, 4e-5)) == first.gradient
    assert pytest.approx(math.hypot(9.2, 0.8)) == first.weight
    assert pytest.approx(math.hypot(2e-5, 2e-6) / math.hypot(9.2, 0.8)) == first.update
    assert (0.62, 0.0, None, None) == (first.spread, first.zero, first.saturated, first.dead)
    assert ("net.1", "ReLU", None, 0.4, 0.503, 0.0313) == (
        bend.name, bend.type, bend.gradient, bend.spread, bend.zero, bend.dead,
    )  # fmt: skip
    assert ("net.2", 0.004) == (last.name, last.saturated)


def test_layers_without_a_site_stand_where_their_parameters_do() -> None:
    """A functional call has a row of its own, a layer that no site names comes behind the layer before it."""
    recording = Recording(Header(1, "0.1.0", "train.py"))
    recording.parameters += [
        parameter(0, "a.weight", "a"),
        parameter(1, "b.weight", "b"),
        parameter(2, "loose", "", ""),
    ]
    recording.sites += [
        Site("relu at train.py:9", "relu", 1, 8, 0.0, 0.5, 3),
        Site("a", "Linear", 0, 8, None, None, 3, module="a"),
    ]

    assert ["a", "b", "loose", "relu at train.py:9"] == [layer.name for layer in layers(recording)]
    assert ["Linear", "Linear", "tensor", "relu"] == [layer.type for layer in layers(recording)]


def test_gradient_is_the_median_and_weight_the_last() -> None:
    """One wild step does not move the gradient; the weight is where it ended."""
    recording = Recording(Header(1, "0.1.0", "train.py"), parameters=[parameter(0, "a.weight", "a")])
    for step, (gradient, weight) in enumerate([(0.1, 1.0), (900.0, 2.0), (0.3, 4.0)], 1):
        recording.samples.append(Sample(step, [measured(gradient=gradient, weight=weight, update=0.1 * weight)]))
    (layer,) = layers(recording)

    assert (0.3, 4.0) == (layer.gradient, layer.weight)
    assert pytest.approx(0.1) == layer.update


def test_nan_and_missing_numbers() -> None:
    """Mostly NaN is NaN; once NaN is not; never measured is a dash; a zero weight has no ratio."""
    recording = Recording(Header(1, "0.1.0", "train.py"), parameters=[parameter(0, "a.weight", "a")])
    recording.samples = [Sample(i, [measured(gradient=g)]) for i, g in enumerate([0.5, math.nan, 0.5])]
    assert 0.5 == layers(recording)[0].gradient
    recording.samples = [Sample(i, [measured(gradient=g)]) for i, g in enumerate([0.5, math.nan, math.nan])]
    gradient = layers(recording)[0].gradient
    assert gradient is not None
    assert math.isnan(gradient)
    recording.samples = [Sample(1, [measured(gradient=None, weight=0.0)])]

    assert Layer("a", "Linear", weight=0.0, parameters=[0]) == layers(recording)[0]


def test_a_module_called_twice_shows_its_worst_share_of_dead_units() -> None:
    """Two sites of one module share its row."""
    recording = Recording(Header(1, "0.1.0", "train.py"))
    recording.sites += [Site(f"act#{i}", "relu", i, 8, 0.0, dead, 3, module="act") for i, dead in enumerate([0.9, 0.1])]
    recording.activations += [Activation(1, "act#1", "relu", 0.1, 0.2, 1.0, 0.6, None, 0.1)]
    (layer,) = layers(recording)

    assert (0.9, 0.6) == (layer.dead, layer.zero)


def test_a_very_deep_model_is_cut_in_the_middle() -> None:
    """The first and the last twenty layers are shown, and the number between them."""
    recording = Recording(Header(1, "0.1.0", "train.py"))
    recording.parameters = [parameter(i, f"layers.{i}.weight", f"layers.{i}") for i in range(1000)]
    lines = table(recording)

    assert 40 == sum(1 for line in lines if "layers." in line)
    assert any("... 960 more ..." in line for line in lines)
    assert any("layers.999 " in line for line in lines)


def test_long_names_leave_room_for_numbers() -> None:
    """Of a name that is too long the end stays, where dotted names differ; the numbers stay."""
    recording = Recording(Header(1, "0.1.0", "train.py"), samples=[Sample(1, [measured(gradient=0.125)])])
    recording.parameters = [
        parameter(0, "w", "model.encoder.layers[0].self_attention.projection.output_projection.dense")
    ]
    row = next(line for line in table(recording) if "dense" in line)

    assert "…" in row
    assert "_projection.dense" in row
    assert "0.125" in row
    assert len(row) <= 80


def test_functional_calls_are_named_without_folders() -> None:
    """The folder of the file is left out, the line stays."""
    recording = Recording(Header(1, "0.1.0", "train.py"))
    recording.sites += [Site("relu@project/models/net.py:28#2", "relu", 0, 8, 0.0, 0.5, 3)]

    assert any(line.startswith("  relu@net.py:28#2 ") for line in table(recording))


def test_nothing_sampled_is_no_table() -> None:
    """Without parameters and sites there is nothing to show."""
    assert [] == [line for line in table(Recording(Header(1, "0.1.0", "train.py"))) if line]
