"""What reached the model: each symptom where it holds, and inputs that only look like it."""

from __future__ import annotations

from typing import Any

import pytest

from nndoctor.record.model import Call, Features, ModuleMode, NonFinite, Place, Recording, Site
from tests.symptoms.build import change, geometric, healthy, inputs, lacks, reals, reference, regression, symptom_of


def fed(features: Features) -> Recording:
    """The healthy run with other inputs."""
    recording = healthy()
    recording.features = [features]
    return recording


def normalised_first(features: Features, **mode: int) -> Recording:
    """The same with a batch norm in front of the first layer."""
    recording = fed(features)
    recording.sites.insert(0, Site("net.norm", "batch_norm", 0, 64, None, None, 15, module="net.norm"))
    recording.modes = [ModuleMode("net.norm", "BatchNorm1d", mode["training"], mode["evaluating"], None, 100)]
    return recording


# --- input-offset -------------------------------------------------------------------------------------------------


def test_a_mean_of_a_hundred_deviations_is_an_offset() -> None:
    """The worst feature's mean and deviation, and the share of the features."""
    r = fed(inputs(mean=100.0, std=1.0))

    s = symptom_of(r, "input-offset")

    assert (100.0, 8.0, "input of net") == (s.value, s.threshold, s.where)
    assert "100% of the input features" in s.text and "100 with deviation 1" in s.text
    assert lacks(r, "input-offset", limit=101)


@pytest.mark.parametrize(
    ("why", "features"),
    [
        ("pixels between 0 and 1", inputs(mean=0.5, std=0.3)),
        ("columns that do not vary are the bias of a layer", inputs(mean=100.0, std=0.0)),
        ("near one, however little it varies", inputs(mean=1.0, std=0.01)),
        ("token ids have no scale", inputs(mean=500.0, std=2.0, dtype="int64")),
    ],
)
def test_values_away_from_zero_are_not_always_an_offset(why: str, features: Features) -> None:
    """What does not vary, what is small and what is looked up in a table is no offset."""
    assert lacks(fed(features), "input-offset"), why


def test_a_normalisation_in_front_takes_the_offset_away() -> None:
    """Unless it runs on its running statistics, which know nothing of these inputs."""
    features = inputs(mean=100.0, std=1.0)

    assert lacks(normalised_first(features, training=100, evaluating=0), "input-offset")
    assert 100.0 == symptom_of(normalised_first(features, training=0, evaluating=100), "input-offset").value


# --- input-scale --------------------------------------------------------------------------------------------------


def test_inputs_in_the_hundreds_are_large() -> None:
    """Root mean square and range."""
    r = fed(inputs(std=200.0))

    s = symptom_of(r, "input-scale")

    assert 200.0 == pytest.approx(s.value)
    assert "from -600 to 600" in s.text and "root mean square 200" in s.text
    assert lacks(r, "input-scale", limit=250)


def test_inputs_of_a_ten_thousandth_are_tiny() -> None:
    """The threshold is a two-hundredth, ten times further from one than the upper one."""
    s = symptom_of(fed(inputs(std=1e-4)), "input-scale")

    assert (1e-4, 0.005) == (pytest.approx(s.value), s.threshold)
    assert "tiny: root mean square 0.0001" in s.text


def test_raw_digits_are_of_a_usual_scale() -> None:
    """Values of 0 to 16 train; so do ids of any size."""
    assert lacks(fed(inputs(mean=5.0, std=6.0)), "input-scale")
    assert lacks(fed(inputs(mean=4000.0, std=2000.0, dtype="int64")), "input-scale")


# --- feature-scales-differ ----------------------------------------------------------------------------------------


def test_columns_in_other_units_differ_in_scale() -> None:
    """Smallest and largest deviation."""
    r = fed(inputs(std=1.0))
    r.features[0].std = [0.01] * 32 + [100.0] * 32

    s = symptom_of(r, "feature-scales-differ")

    assert 1e4 == pytest.approx(s.value)
    assert "from 0.01 to 100" in s.text
    assert lacks(r, "feature-scales-differ", limit=2e4)


@pytest.mark.parametrize(
    ("why", "shape", "std"),
    [
        ("channels of an image", [32, 2, 8, 8], [0.01, 100.0]),
        ("rare indicator columns beside standardised ones", [32, 2], [0.001, 1.0]),
        ("a constant column has no scale", [32, 3], [0.0, 1.0, 5.0]),
    ],
)
def test_scales_may_differ_harmlessly(why: str, shape: list[int], std: list[float]) -> None:
    """Only columns of a table are compared, only those that vary, and only where some are large."""
    r = fed(inputs(columns=len(std), shape=shape, std=1.0))
    r.features[0].std = std

    assert lacks(r, "feature-scales-differ"), why


# --- input-nonfinite ----------------------------------------------------------------------------------------------


def test_missing_values_are_told_with_their_columns() -> None:
    """Half of one column of 64; a model that masks them, and learns, computes numbers all the same."""
    r = fed(inputs(missing=[0.5] + [0.0] * 63))
    assert lacks(r, "input-nonfinite")
    r.nonfinite = [NonFinite(1, "loss", "cross_entropy", 1.0)]

    s = symptom_of(r, "input-nonfinite")

    assert 0.5 / 64 == s.value
    assert "0.78% of the input values" in s.text and "1 of 64 features (columns 0)" in s.text


def test_what_a_network_makes_for_another_is_no_data() -> None:
    """It goes wrong with its maker: missing, huge, or the same for all rows."""
    r, same = fed(inputs(mean=5000.0, std=1000.0, missing=[0.2] * 64)), fed(inputs(std=0.0, distinct=1))
    change([*r.features, *same.features], made=True)
    r.nonfinite = [NonFinite(40, "loss", "loss", 1.0)]

    assert lacks(r, "input-nonfinite")
    assert lacks(r, "input-scale")
    assert lacks(same, "input-constant")


def test_a_batch_whose_sum_is_nan_holds_missing_values() -> None:
    """Batches between two close looks are known by their sum."""
    r = healthy()
    change(r.steps[40:60], input_sum=float("nan"), loss=float("nan"))

    s = symptom_of(r, "input-nonfinite")

    assert 0.2 == s.value
    assert "20 of 100 input batches" in s.text and "first at step 41" in s.text


def test_huge_values_are_not_missing() -> None:
    """As long as they are finite."""
    r = fed(inputs(std=1e30))
    change(r.steps, input_sum=1e35)

    assert lacks(r, "input-nonfinite")


# --- target-nonfinite ---------------------------------------------------------------------------------------------


def test_missing_targets_are_told_with_their_batches() -> None:
    """And with the line of the loss that they reached."""
    r = healthy()
    r.nonfinite = [NonFinite(3, "target", "mse_loss", 0.1, 4, 40, Place("train.py", 30))]

    s = symptom_of(r, "target-nonfinite")

    assert (0.1, Place("train.py", 30)) == (s.value, s.place)
    assert "mse_loss hold NaN or infinite values in 4 of 40 batches" in s.text


def test_nan_elsewhere_is_none_in_the_targets() -> None:
    """A prediction that is NaN is what the network did, not what it was given."""
    r = healthy()
    r.nonfinite = [NonFinite(3, "prediction", "mse_loss", 0.1), NonFinite(3, "input", "net", 0.1)]

    assert lacks(r, "target-nonfinite")


# --- input-constant -----------------------------------------------------------------------------------------------


def test_rows_that_are_all_alike_are_told() -> None:
    """One distinct row, or none but zeros."""
    alike = symptom_of(fed(inputs(between=0.0, distinct=1)), "input-constant")
    zero = symptom_of(fed(inputs(std=0.0)), "input-constant")

    assert (0.0, 0.0) == (alike.value, zero.value)
    assert "All 3200 input rows" in alike.text
    assert "Every input value is zero" in zero.text


def test_small_differences_are_differences() -> None:
    """A thousandth of the size carries information; a handful of rows says nothing; a blank image has no spread."""
    assert lacks(fed(inputs(mean=1.0, std=1e-3)), "input-constant")
    assert lacks(fed(inputs(between=0.0, distinct=1, rows=8)), "input-constant")


# --- input-outliers -----------------------------------------------------------------------------------------------


def test_a_few_extreme_values_are_outliers() -> None:
    """Their share and the distance of the farthest."""
    r = fed(inputs(outliers=0.001, outlier_size=1000.0))

    s = symptom_of(r, "input-outliers")

    assert 1000.0 == s.value
    assert "0.10% of the input values" in s.text and "farthest 1000" in s.text
    assert lacks(r, "input-outliers", limit=2000)


def test_heavy_tails_are_no_outliers() -> None:
    """Real tables reach thirty deviations, and values that one in twenty rows has are no exception."""
    assert lacks(fed(inputs(outliers=0.001, outlier_size=30.0)), "input-outliers")
    assert lacks(fed(inputs(outliers=0.05, outlier_size=1000.0)), "input-outliers")


# --- target-outliers ----------------------------------------------------------------------------------------------


def aimed(**fields: Any) -> Recording:
    """The healthy regression with other targets."""
    recording = regression()
    recording.labels = [reals(**fields)]
    return recording


def test_a_few_wild_targets() -> None:
    """Their share and the distance of the farthest."""
    r = aimed(outliers=0.002, outlier_size=3000.0)

    s = symptom_of(r, "target-outliers")

    assert (3000.0, 50.0, "labels") == (s.value, s.threshold, s.where)
    assert "0.20% of the targets" in s.text and "the farthest 3000." in s.text
    assert lacks(r, "target-outliers", limit=4000)


def test_targets_with_heavy_tails_are_no_outliers() -> None:
    """Prices reach thirty deviations; what one in twenty has is no exception; and a class number is no amount."""
    assert lacks(aimed(outliers=0.002, outlier_size=30.0), "target-outliers")
    assert lacks(aimed(outliers=0.05, outlier_size=3000.0), "target-outliers")
    assert lacks(aimed(outliers=0.002, outlier_size=3000.0, task="classes"), "target-outliers")


def test_a_loss_that_bears_with_wild_targets() -> None:
    """The logarithm of a squared error, as in Student's likelihood, or its absolute value."""
    for function in ("by-hand:difference", "l1_loss", "huber_loss"):
        r = aimed(outliers=0.002, outlier_size=3000.0)
        change(r.losses, function=function)
        assert lacks(r, "target-outliers")


# --- few-rows-outweigh --------------------------------------------------------------------------------------------


def outweighed(r2: float, rest: float, every: int = 2) -> Recording:
    """A regression whose every other batch is predicted like that, and the others well."""
    recording = regression(geometric(1.0, 0.9), r2=0.1)
    recording.labels = [reals()]
    for i, sample in enumerate(recording.samples):
        sample.r2, sample.r2_rest = (r2, rest) if i % every == 0 else (0.8, 0.82)
    return recording


def test_a_few_rows_that_are_most_of_the_error() -> None:
    """In half of the batches looked at; the median of these is told."""
    r = outweighed(0.1, 0.9)

    s = symptom_of(r, "few-rows-outweigh")

    assert (pytest.approx(0.8), 0.5, "labels") == (s.value, s.threshold, s.where)
    assert "R2 is 0.10 (median), and 0.90 without the twentieth of the rows" in s.text
    assert lacks(r, "few-rows-outweigh", limit=0.85)


def test_rows_that_are_all_predicted_badly_outweigh_nothing() -> None:
    """Weights that are thrown off miss every row; one look is luck; and what counts errors by their size is not led by few."""
    missed, lucky, robust = outweighed(-5.0, -0.5), outweighed(0.1, 0.9, every=20), outweighed(0.1, 0.9)
    robust.losses[0].function = "l1_loss"

    assert lacks(missed, "few-rows-outweigh")
    assert lacks(lucky, "few-rows-outweigh")
    assert lacks(robust, "few-rows-outweigh")
    assert lacks(regression(), "few-rows-outweigh")


# --- ids-as-magnitudes --------------------------------------------------------------------------------------------


def test_ids_that_enter_as_numbers() -> None:
    """Spread over their range, and looked up nowhere; counts crowd at zero, and bytes are pixels."""
    ids, looked_up, counts, pixels = (healthy() for _ in range(4))
    for made in (ids, looked_up):
        change(made.features, dtype="int64", shape=[32, 12], min=[0.0] * 12, max=[40.0] * 12, mean=[19.0] * 12)
    looked_up.calls.append(Call("encode", 20, None))
    change(counts.features, dtype="int64", shape=[32, 12], min=[0.0] * 12, max=[40.0] * 12, mean=[0.7] * 12)
    change(pixels.features, dtype="uint8", shape=[32, 64], max=[255.0] * 64, mean=[120.0] * 64)

    assert "from 0 to 40" in symptom_of(ids, "ids-as-magnitudes").text
    assert lacks(ids, "ids-as-magnitudes", limit=50.0)
    assert lacks(looked_up, "ids-as-magnitudes")
    assert lacks(counts, "ids-as-magnitudes")
    assert lacks(pixels, "ids-as-magnitudes")


# --- signal-behind-outliers ---------------------------------------------------------------------------------------


def test_a_signal_that_a_few_wild_values_hide() -> None:
    """What simple learners gain where these are cut off."""
    r, plain, learnt = regression(r2=0.1), regression(r2=0.1), regression(r2=0.7)
    for made in (r, learnt):
        made.references = [reference(0.0, 0.1, 0.15, 0.2, task="real", tamed=0.8)]
    plain.references = [reference(0.0, 0.7, 0.75, 0.75, task="real", tamed=0.8)]

    s = symptom_of(r, "signal-behind-outliers")

    assert (10.0, 2.0) == (pytest.approx(s.value), s.threshold)  # 0.6 more, where chance makes 0.06
    assert "simple learners reach R2 0.80 on held-out training rows; as the inputs are, 0.20" in s.text
    assert lacks(r, "signal-behind-outliers", limit=11)
    assert lacks(plain, "signal-behind-outliers")
    assert lacks(learnt, "signal-behind-outliers")  # a network that copes
    assert lacks(regression(), "signal-behind-outliers")
