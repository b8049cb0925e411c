"""What the graph says of the network: each fault where it is one, and the sound code that resembles it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nndoctor.record.model import ModuleInfo, ModuleMode, Place, Recording, Reshaping, Sequence
from tests.symptoms.build import (
    BUILT,
    LOSS,
    NUMBERS,
    adam,
    change,
    healthy,
    lacks,
    parameter,
    regression,
    relu,
    symptom_of,
    tensor,
)

HEAD = Place("train.py", 14)


# --- unreached-parameters -----------------------------------------------------------------------------------------


def detached() -> Recording:
    """The second of three layers gets no gradient."""
    recording = healthy()
    change(recording.graphs, reached=[0, 1, 4, 5])
    for step in recording.steps:
        step.norms[2:4] = [None, None]
    return recording


def test_a_layer_that_no_loss_reaches() -> None:
    """Name, number of tensors, share of the numbers, and whether it runs at all."""
    r = detached()

    s = symptom_of(r, "unreached-parameters")

    assert (1056 / NUMBERS, "net.2", BUILT) == (s.value, s.where, s.place)
    assert "2 of 6 trainable tensors (30% of the numbers)" in s.text and "net.2. They run in the forward" in s.text
    assert lacks(r, "unreached-parameters", limit=0.31)


def test_a_layer_that_never_runs_weighs_less() -> None:
    """A spare head may be kept on purpose; one that runs and gets no gradient is cut off."""
    idle, cut = detached(), detached()
    assert idle.end is not None
    idle.end.ran = ["net.0", "net.4"]

    assert "never run" in symptom_of(idle, "unreached-parameters").text
    assert symptom_of(idle, "unreached-parameters").strength < symptom_of(cut, "unreached-parameters").strength


def test_unreached_for_good_reason() -> None:
    """Reached now and then, frozen on purpose, or beyond what was read of the graph."""
    sometimes, frozen, long = detached(), detached(), detached()
    change(sometimes.steps[50:60], norms=[1.0] * 6)
    assert frozen.end is not None
    frozen.end.frozen = [2, 3]
    change(long.graphs, truncated=True)

    assert lacks(sometimes, "unreached-parameters")
    assert lacks(frozen, "unreached-parameters")
    assert lacks(long, "unreached-parameters")


# --- unregistered-layers ------------------------------------------------------------------------------------------


def listed(*names: str) -> Recording:
    """Layers that the forward uses and the model does not own, reached by the loss."""
    recording = healthy()
    for i, name in enumerate(names, 6):
        recording.parameters.append(parameter(i, f"{name}.weight", 32, 32, model=-1))
        recording.graphs[0].reached.append(i)
    return recording


def test_layers_in_a_plain_list_belong_to_no_model() -> None:
    """How many, and their names."""
    s = symptom_of(listed("net.(blocks[0])", "net.(blocks[1])"), "unregistered-layers")

    assert (2, "net.(blocks[0])") == (s.value, s.where)
    assert "2 layers" in s.text and "(net.(blocks[0]), net.(blocks[1]))" in s.text


def test_a_list_of_layers_that_the_optimiser_was_given() -> None:
    """`Adam([*net.parameters(), *extra.parameters()])` trains them all the same; a tensor made by hand is no layer."""
    given = listed("net.(blocks[0])")
    given.optimizers = [adam(*range(7))]

    assert lacks(given, "unregistered-layers")
    assert lacks(listed("matrix"), "unregistered-layers")


# --- no-bend ------------------------------------------------------------------------------------------------------


def test_layers_without_anything_between_are_one_linear_map() -> None:
    """Their number."""
    r = healthy()
    change(r.graphs, layers=3, nonlinear=0, linear_pairs=2)

    s = symptom_of(r, "no-bend")

    assert (3, LOSS) == (s.value, s.place)
    assert "3 layers follow one another" in s.text


def test_linear_regression_is_linear_on_purpose() -> None:
    """One layer has nothing to bend between; a factorised layer beside a ReLU bends all the same."""
    linear = regression()
    change(linear.graphs, layers=1, nonlinear=0, linear_pairs=0)
    factorised = healthy()
    change(factorised.graphs, layers=3, nonlinear=1, linear_pairs=1)

    assert lacks(linear, "no-bend")
    assert lacks(factorised, "no-bend")


# --- norm-momentum ------------------------------------------------------------------------------------------------


def normed(type: str = "BatchNorm1d", **settings: object) -> Recording:
    """The healthy run with a batch norm of these settings."""
    recording = healthy()
    recording.modules.append(ModuleInfo(0, "net.norm", type, True, 64, settings, HEAD))
    return recording


@pytest.mark.parametrize(("momentum", "words"), [(0.0, "stay at 0 and 1"), (1, "those of the last batch")])
def test_statistics_that_never_move_or_forget_everything(momentum: float, words: str) -> None:
    """The momentum and what it does to evaluation; the line is that of the layer."""
    s = symptom_of(normed(momentum=momentum), "norm-momentum")

    assert (momentum, "net.norm", HEAD) == (s.value, s.where, s.place)
    assert f"net.norm has momentum {momentum:g}" in s.text and words in s.text


def test_momentum_that_is_brought_down_to_nothing() -> None:
    """Before half of the run is over; later the statistics have come to rest, and may stay."""
    early, late = normed(momentum=0.1), normed(momentum=0.1)
    for r, still in ((early, 60), (late, 40)):
        r.modes = [ModuleMode("net.norm", "BatchNorm1d", 100, 0, None, 100, still=still)]

    assert "net.norm was built with momentum 0.1, and had next to none in 60 of the 100" in symptom_of(early, "norm-momentum").text
    assert lacks(late, "norm-momentum")


def test_a_momentum_as_other_libraries_spell_it() -> None:
    """0.99 of the last batch, where a slow average was meant; it weighs less than none at all."""
    r = normed(momentum=0.99)

    s = symptom_of(r, "norm-momentum")

    assert (0.9, 0.6) == (s.threshold, s.strength)
    assert "the last batch to 99%" in s.text
    assert lacks(r, "norm-momentum", limit=0.995)


@pytest.mark.parametrize(
    ("why", "type", "settings"),
    [
        ("torch's default", "BatchNorm1d", {"momentum": 0.1}),
        ("None is a cumulative average", "BatchNorm1d", {"momentum": None}),
        ("no statistics are kept", "BatchNorm1d", {"momentum": 0.0, "track_running_stats": False}),
        ("another norm", "InstanceNorm1d", {"momentum": 0.0}),
    ],
)
def test_momentum_that_is_right_or_of_no_account(why: str, type: str, settings: dict[str, object]) -> None:
    """Only batch norms that keep statistics mind."""
    assert lacks(normed(type, **settings), "norm-momentum"), why


# --- norm-few-values ----------------------------------------------------------------------------------------------


def test_statistics_of_two_values() -> None:
    """In training mode and as a rule; one small last batch, or a norm that is switched off, does no harm."""
    r, last, off = normed(), normed(), normed()
    for made in (r, last, off):
        made.sites.append(relu(9, name="net.norm", function="batch_norm", module="net.norm", values=2))
        made.modes = [ModuleMode("net.norm", "BatchNorm1d", 0 if made is off else 100, 0, None, 100)]
        change(made.steps, batch=32 if made is last else 2)

    s = symptom_of(r, "norm-few-values")

    assert (2.0, "net.norm") == (s.value, s.where)
    assert "computes mean and variance over 2 values of each feature" in s.text
    assert lacks(r, "norm-few-values", limit=1)
    assert lacks(last, "norm-few-values")
    assert lacks(off, "norm-few-values")


# --- squashing-stack ----------------------------------------------------------------------------------------------


def squashed(function: str, count: int, widths: tuple[int, ...] = (64, 32, 32, 32, 32, 10)) -> Recording:
    """So many hidden activations of that kind."""
    recording = healthy(widths=widths)
    recording.sites = [relu(2 * i + 1, function=function, dead_start=None, dead_end=None) for i in range(count)]
    return recording


def test_four_sigmoids_in_series_squash() -> None:
    """Their number and kind."""
    r = squashed("sigmoid", 4)

    s = symptom_of(r, "squashing-stack")

    assert (4.0, 3.0, "net.1") == (s.value, s.threshold, s.where)
    assert "4 hidden sigmoid activations" in s.text
    assert lacks(r, "squashing-stack", limit=4.5)


@pytest.mark.parametrize(
    ("why", "function", "count", "widths"),
    [
        ("one tanh", "tanh", 1, (64, 32, 10)),
        ("four of them count half each", "tanh", 4, (64, 32, 32, 32, 32, 10)),
        ("a recurrent net calls its one cell at every time step", "sigmoid", 20, (64, 32, 10)),
        ("ReLU squashes nothing", "relu", 4, (64, 32, 32, 32, 32, 10)),
    ],
)
def test_few_squashing_activations_are_no_stack(why: str, function: str, count: int, widths: tuple[int, ...]) -> None:
    """Depth is what loses the gradient."""
    assert lacks(squashed(function, count, widths), "squashing-stack"), why


def test_gates_are_no_stack() -> None:
    """Attention weights, and the tanh within a GELU: the signal that they are multiplied with goes past them."""
    r = squashed("sigmoid", 4)
    change(r.sites, gate=True)

    assert lacks(r, "squashing-stack")


# --- loss-left-out ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_computed_and_not_gone_down() -> None:
    """Backward is called on a penalty alone; a second loss for the log is nobody's fault."""
    r, logged = healthy(), healthy()
    r.graphs[0].losses = []
    logged.losses.append(replace(logged.losses[0], index=1, function="mse_loss"))

    s = symptom_of(r, "loss-left-out")

    assert LOSS == s.place
    assert "cross_entropy is computed 100 times" in s.text
    assert lacks(logged, "loss-left-out")


# --- time-over-batch ----------------------------------------------------------------------------------------------


def test_a_recurrent_layer_that_reads_the_batch_as_a_sequence() -> None:
    """Its first axis has an entry for each target; transposed for the layer it has not, nor has a target for each position."""
    r, transposed, tokens = healthy(), healthy(), healthy()
    r.sequences = [Sequence("net.0", "LSTM", [32, 10, 8], BUILT)]
    transposed.sequences = [Sequence("net.0", "LSTM", [10, 32, 8], BUILT)]
    tokens.sequences = [Sequence("net.0", "LSTM", [32, 10, 8], BUILT)]
    tokens.losses[0].target = tensor(32, 10)

    s = symptom_of(r, "time-over-batch")

    assert ("net.0", BUILT) == (s.where, s.place)
    assert "given 32 × 10 × 8, where the first axis is the 32 samples" in s.text
    assert lacks(transposed, "time-over-batch")
    assert lacks(tokens, "time-over-batch")


def test_one_sample_with_a_target_for_each_position() -> None:
    """It is given to the model whole, or is as long as it is; rows of one step each are a batch that is read as a sequence."""
    rows, whole, tagged = healthy(), healthy(), healthy()
    for r in (rows, whole, tagged):
        r.sequences = [Sequence("net.0", "LSTM", [32, 1, 8], BUILT)]
    change(whole.steps, batch=1)
    for i, step in enumerate(tagged.steps):
        step.batch = 30 + i % 5

    assert 32.0 == symptom_of(rows, "time-over-batch").value
    assert lacks(whole, "time-over-batch")
    assert lacks(tagged, "time-over-batch")


# --- batch-reshaped -----------------------------------------------------------------------------------------------


def test_a_batch_that_is_dealt_out_anew() -> None:
    """Its first axis became the second by a view; of another tensor that may be right."""
    r, table = healthy(), healthy()
    r.reshapings = [Reshaping([32, 10, 8], [10, 32, 8], BUILT)]
    table.reshapings = [Reshaping([50, 10, 8], [10, 50, 8], BUILT)]

    s = symptom_of(r, "batch-reshaped")

    assert BUILT == s.place
    assert "A batch of 32 samples, 32 × 10 × 8, is read anew as 10 × 32 × 8" in s.text
    assert lacks(table, "batch-reshaped")


# --- softmax-over-batch -------------------------------------------------------------------------------------------


def weighing(**fields: object) -> Recording:
    """The healthy run, batches of 32, with a softmax within the network."""
    recording = healthy()
    recording.sites.append(relu(9, name="softmax@train.py:16", function="softmax", module="", dead_start=None, dead_end=None, **fields))
    return recording


def test_weights_of_attention_over_the_batch() -> None:
    """Over the axis that has one entry for each target."""
    s = symptom_of(weighing(axis=0, length=32), "softmax-over-batch")

    assert (32, "softmax@train.py:16") == (s.value, s.where)
    assert "that of the 32 samples" in s.text


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("over time", {"axis": 1, "length": 32}),
        ("a bag of instances has one target", {"axis": 0, "length": 50}),
        ("a table of pairs", {"axis": 0, "length": 32, "square": True}),
        ("what the loss is given is judged elsewhere", {"axis": 0, "length": 32, "hidden": False}),
    ],
)
def test_a_softmax_over_something_else(why: str, fields: dict[str, object]) -> None:
    """It mixes no samples."""
    assert lacks(weighing(**fields), "softmax-over-batch"), why
