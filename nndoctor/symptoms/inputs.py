"""What reached the model: scale, missing values, outliers, sameness."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Features
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("input-offset", "inputs", "Input values lie far from zero compared with how much they vary.", 8.0, "Mean over deviation of the worst feature that varies; standardised data has 0, pixels in 0..1 about 1."),
    SymptomInfo("input-scale", "inputs", "Input values are far larger (or smaller) than one.", 20.0, "Root mean square of the inputs; first layers are initialised for 1 (He et al. 2015). Raw digits of 0..16 have 8 and train."),
    SymptomInfo("feature-scales-differ", "inputs", "Some features vary a hundred times more than others.", 100.0, "Largest over smallest deviation of the features that vary; the largest must exceed 3."),
    SymptomInfo("input-nonfinite", "inputs", "Inputs hold NaN or infinite values.", fact=True),
    SymptomInfo("target-nonfinite", "inputs", "Targets hold NaN or infinite values.", fact=True),
    SymptomInfo("input-constant", "inputs", "Inputs hardly differ from one sample to another.", fact=True),
    SymptomInfo("ids-as-magnitudes", "inputs", "Whole numbers that look like ids are turned into real numbers and enter a layer as they are.", 8.0, "Range of the values; they must not thin out upwards, as counts do, and nothing looks them up in a table.", fact=True),
    SymptomInfo("signal-behind-outliers", "inputs", "Simple learners find more of the signal once the wildest input values are cut off than they before that, or the network, do.", 2.0, "Gain by cutting values off at eight robust deviations, over what two scores on so many rows differ by chance."),
    SymptomInfo("target-outliers", "inputs", "A few targets lie very many robust deviations away.", 50.0, "As for the inputs."),
    SymptomInfo(
        "few-rows-outweigh", "inputs", "The network predicts nearly all rows of a batch well, and a few so badly that they are most of its squared error.", 0.5,
        "R2 without the worst twentieth of a batch over that of all of it; where errors are normal these rows hold 28 % of the squared error, which lifts R2 by less than 0.3.", fact=True,
    ),
    SymptomInfo("input-outliers", "inputs", "A few input values lie very many robust deviations away.", 50.0, "Robust deviations of the farthest value, in fewer than 5 % of the values; heavy tails in real tables reach 20 to 30."),
)  # fmt: skip

_LEARNS = 0.5  # of what there is to learn
_FEWEST_LOOKS = 3  # in which a few rows outweigh the others
_OFTEN = 0.2  # share of the looks in the run's second half


def _floats(view: View) -> list[Features]:
    """Inputs that enter as real numbers (token ids have no scale) and meet a layer before any normalisation."""
    first = min(view.recording.sites, key=lambda s: s.order, default=None)
    if first is not None and first.function in ("batch_norm", "layer_norm", "group_norm") and not _idle(view, first.module):
        return []
    return [f for f in _data(view) if f.dtype.startswith(("float", "bfloat", "double")) and f.rows >= 4]


def _data(view: View) -> list[Features]:
    """Inputs that come from outside: what one network makes for another goes wrong with it, and says nothing of the data."""
    return [f for f in view.recording.features if not f.made]


def _idle(view: View, module: str) -> bool:
    """Whether a normalisation layer runs on its running statistics in training, and so need not normalise."""
    mode = next((m for m in view.recording.modes if m.module == module), None)
    return mode is not None and mode.evaluating > mode.training


def _name(view: View, f: Features) -> str:
    model = next((m.name for m in view.recording.models if m.index == f.model), "")
    return f"input of {model}" if model else "input"


def input_offset(view: View) -> Symptom | None:
    """Far from zero: the first layer sees nearly the same vector for every sample."""
    limit = view.thresholds.get("input-offset", 8.0)
    for f in _floats(view):
        mean, std = np.array(f.mean), np.array(f.std)
        varying = std > 0
        if not varying.any():
            continue
        ratio = np.abs(mean[varying]) / std[varying]
        size = np.abs(mean[varying])
        big = (ratio > limit) & (size > 3)
        if big.any():
            share = float(big.mean())
            worst = int(np.argmax(np.where(big, ratio, 0)))
            text = f"{share:.0%} of the input features have a mean many times their deviation (worst: {mean[varying][worst]:.4g} with deviation {std[varying][worst]:.3g})."
            strength = min(1.0, 0.4 + 0.6 * share) * min(1.0, math.log10(float(size[worst])) / 1.5)
            return Symptom("input-offset", text, float(ratio[worst]), limit, strength, _name(view, f))
    return None


def input_scale(view: View) -> Symptom | None:
    """The size of the inputs, whatever their shape."""
    limit = view.thresholds.get("input-scale", 20.0)
    for f in _floats(view):
        mean, std = np.array(f.mean), np.array(f.std)
        with np.errstate(over="ignore", invalid="ignore"):
            size = float(np.sqrt(np.nanmean(mean**2 + std**2))) if mean.size else math.nan
        if not math.isfinite(size) or not std.any():
            continue
        if size > limit:
            text = f"Inputs range from {np.nanmin(f.min):.4g} to {np.nanmax(f.max):.4g} (root mean square {size:.4g}); layers are initialised for inputs near 1."
            return Symptom("input-scale", text, size, limit, min(1.0, 0.3 + math.log10(size / limit) * 0.6), _name(view, f))
        if 0 < size < 1 / (10 * limit):
            text = f"Inputs are tiny: root mean square {size:.3g}; layers are initialised for inputs near 1."
            return Symptom("input-scale", text, size, 1 / (10 * limit), min(1.0, math.log10(1 / (10 * limit * size)) * 0.6 + 0.3), _name(view, f))
    return None


def feature_scales_differ(view: View) -> Symptom | None:
    """Columns in different units."""
    limit = view.thresholds.get("feature-scales-differ", 100.0)
    for f in _floats(view):
        std = np.array(f.std)
        std = std[np.isfinite(std) & (std > 0)]
        if len(std) < 2 or len(f.shape) == 4:
            continue
        low, high = float(std.min()), float(std.max())
        if high / low > limit and high > 3:
            text = f"Deviations of the input features run from {low:.3g} to {high:.4g}."
            strength = min(1.0, 0.4 + 0.3 * math.log10(high / low / limit)) * min(1.0, 0.4 + 0.3 * math.log10(high / 3))
            return Symptom("feature-scales-differ", text, high / low, limit, strength, _name(view, f))
    return None


def input_nonfinite(view: View) -> Symptom | None:
    """Missing values that reached the model, and went through it: one that masks them itself computes numbers all the same."""
    spread = any(n.where != "input" for n in view.recording.nonfinite) or not np.isfinite(view.losses).all()
    if not spread and view.learns >= _LEARNS:
        return None
    for f in _data(view):
        share = float(np.mean(f.missing)) if f.missing else 0.0
        if share > 0:
            columns = [i for i, m in enumerate(f.missing) if m > 0]
            named = ", ".join(str(c) for c in columns[:5]) + ("..." if len(columns) > 5 else "")
            text = f"{share:.2%} of the input values are NaN or infinite, in {len(columns)} of {len(f.missing)} features (columns {named})."
            return Symptom("input-nonfinite", text, share, 0.0, 1.0, _name(view, f))
    sums = [s.input_sum for s in view.recording.steps if s.input_sum is not None]
    bad = [i for i, s in enumerate(sums, 1) if not math.isfinite(s)]
    if bad:
        text = f"{len(bad)} of {len(sums)} input batches hold NaN or infinite values, the first at step {bad[0]}."
        return Symptom("input-nonfinite", text, len(bad) / len(sums), 0.0, 1.0, "input")
    return None


def target_nonfinite(view: View) -> Symptom | None:
    """Missing targets."""
    seen = next((n for n in view.recording.nonfinite if n.where == "target"), None)
    if seen is None:
        return None
    text = f"Targets of {seen.name} hold NaN or infinite values in {seen.count} of {seen.batches} batches."
    return Symptom("target-nonfinite", text, seen.share, 0.0, 1.0, "target", seen.place)


def input_constant(view: View) -> Symptom | None:
    """All rows alike."""
    for f in _data(view):
        if f.rows < 16 or f.between is None:
            continue
        size = float(np.nanmax(np.abs([*f.min, *f.max])))
        if f.distinct <= 1 or (size > 0 and f.between < 1e-6 * size) or size == 0:
            text = f"All {f.rows} input rows seen are alike." if size else "Every input value is zero."
            return Symptom("input-constant", text, f.between, 0.0, 1.0, _name(view, f))
    return None


def ids_as_magnitudes(view: View) -> Symptom | None:
    """A model that is given integers, and has neither embedding nor indicators for them. Images in bytes are none."""
    limit = view.thresholds.get("ids-as-magnitudes", 8.0)
    if view.recording.call("encode") is not None or any(s.function.startswith("embedding") for s in view.recording.sites):
        return None
    for f in view.recording.features:
        if f.dtype not in ("int64", "int32", "int16") or len(f.shape) > 2 or f.rows < 16:
            continue
        low, high, mean = (float(np.nanmedian(v)) for v in (f.min, f.max, f.mean))
        # Codes are spread over their range; counts crowd at its lower end.
        if high - low < limit or (mean - low) < 0.2 * (high - low):
            continue
        text = f"The {f.dtype} input holds whole numbers from {low:g} to {high:g}, which are neither embedded nor encoded: the first layer takes them for magnitudes."
        return Symptom("ids-as-magnitudes", text, high - low, limit, 1.0, _name(view, f))
    return None


def input_outliers(view: View) -> Symptom | None:
    """Extreme values in few places."""
    limit = view.thresholds.get("input-outliers", 50.0)
    for f in _floats(view):
        if f.outlier_size > limit and 0 < f.outliers < 0.05:
            text = f"{f.outliers:.2%} of the input values lie more than 20 robust deviations away, the farthest {f.outlier_size:.4g}."
            return Symptom("input-outliers", text, f.outlier_size, limit, min(1.0, math.log10(f.outlier_size / limit) + 0.3), _name(view, f))
    return None


def signal_behind_outliers(view: View) -> Symptom | None:
    """A code for what is missing, scaled together with the rest, leaves the rest without a difference."""
    limit = view.thresholds.get("signal-behind-outliers", 2.0)
    r = view.reference
    if r is None or r.tamed is None or not r.chance or math.isnan(r.plain):
        return None
    gain = r.skill(r.tamed) - max(r.skill(r.plain), view.learns, 0.0)
    lucky = r.skill(r.constant + r.chance)
    if not gain >= limit * lucky or not r.tamed - r.constant > r.chance:
        return None
    name = "accuracy" if r.task in ("classes", "binary") else "R2"
    text = f"With the wildest input values cut off at eight robust deviations simple learners reach {name} {r.tamed:.2f} on held-out training rows; as the inputs are, {r.plain:.2f}."
    return Symptom("signal-behind-outliers", text, gain / lucky, limit, float(np.clip(0.5 + gain, 0.5, 1.0)), "input")


def target_outliers(view: View) -> Symptom | None:
    """Extreme targets in few rows, of a loss that counts an error by its square."""
    limit = view.thresholds.get("target-outliers", 50.0)
    if not view.squares:
        return None
    for labels in view.recording.labels:
        if labels.task == "real" and labels.outlier_size > limit and 0 < labels.outliers < 0.05:
            text = f"{labels.outliers:.2%} of the targets lie more than 20 robust deviations away, the farthest {labels.outlier_size:.4g}."
            return Symptom("target-outliers", text, labels.outlier_size, limit, min(1.0, math.log10(labels.outlier_size / limit) + 0.3), "labels")
    return None


def few_rows_outweigh(view: View) -> Symptom | None:
    """Looks of the second half: at first the rest is not predicted either. Where errors count by their size alone, such rows weigh little."""
    limit = view.thresholds.get("few-rows-outweigh", 0.5)
    if not view.squares or view.judge is not None or view.learns > _LEARNS:
        return None
    late = [(s.r2, s.r2_rest) for s in view.samples[len(view.samples) // 2 :] if s.r2 is not None and s.r2_rest is not None]
    bad = [(r2, rest) for r2, rest in late if rest - r2 > limit and rest > _LEARNS]
    if len(bad) < max(_FEWEST_LOOKS, _OFTEN * len(late)):
        return None
    r2, rest = (float(np.median(x)) for x in zip(*bad, strict=True))
    text = f"In {len(bad)} of the last {len(late)} batches looked at R2 is {r2:.2f} (median), and {rest:.2f} without the twentieth of the rows that is predicted worst."
    return Symptom("few-rows-outweigh", text, rest - r2, limit, float(np.clip(0.5 + rest - r2 - limit, 0.5, 1.0)), "labels")


DETECTORS = (few_rows_outweigh, target_outliers, signal_behind_outliers, input_offset, input_scale, feature_scales_differ, input_nonfinite, target_nonfinite, input_constant, ids_as_magnitudes, input_outliers)
