"""What layers and activation functions put out: dead, saturated, all alike, or exploding."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Activation, Site
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("dead-units", "activations", "ReLU units that were zero for every sample at the end.", 0.5, "Share of the worst layer's units; SageMaker's rule and TheDeepChecker's ask for more than half of a layer."),
    SymptomInfo("wholly-dead", "activations", "A hidden ReLU puts out nothing but zeros, from the first look to the last."),
    SymptomInfo("dead-from-start", "activations", "ReLU units that were zero for every sample from the first steps on.", 0.5, "As dead-units, in the first three looks."),
    SymptomInfo("saturated-units", "activations", "Sigmoid or tanh outputs near an asymptote, where no gradient passes.", 0.5, "Share of the worst hidden site; a healthy net stays below a twentieth (Karpathy), half is past doubt (DeepDiagnosis)."),
    SymptomInfo("squashed-signal", "activations", "Hidden sigmoids or the like put out nearly the same for every sample, from the first steps on.", 0.06, "Deviation between samples over the root mean square in the first looks: a sigmoid of a standard normal signal has 0.38, and each further one shrinks it several times."),
    SymptomInfo("signal-collapses", "activations", "Deep in the network, outputs hardly differ between samples.", 0.02, "Deviation between samples over the root mean square, in the worst hidden site, while the inputs do differ."),
    SymptomInfo("norm-erases", "activations", "A normalisation layer puts out the same for every sample.", 1e-3, "Deviation between samples over the root mean square, of the first site where nothing is left.", fact=True),
    SymptomInfo("activations-explode", "activations", "Outputs grow by orders of magnitude through the layers or over the steps.", 1000.0, "Largest root mean square of a hidden site; normalised signals stay near 1."),
)  # fmt: skip
_FEWEST_LOOKS = 5
_NORMS = ("layer_norm", "batch_norm", "group_norm", "instance_norm")


def _rms(a: Activation) -> float:
    return math.hypot(a.mean or 0.0, a.std or 0.0)


def _by_site(view: View) -> dict[str, list[Activation]]:
    found: dict[str, list[Activation]] = {}
    for a in view.recording.activations:
        found.setdefault(a.site, []).append(a)
    return found


def _rectified(view: View) -> list[Site]:
    return [s for s in view.recording.sites if s.dead_end is not None and s.units > 1]


def _inputs_alike(view: View) -> bool:
    f = view.features
    return f is not None and f.between is not None and f.between == 0


def _one_by_one(view: View) -> bool:
    """Whether a batch is one sample, which differs from no other."""
    return view.batch is not None and view.batch < 2


def dead_units(view: View) -> Symptom | None:
    """The layer with the largest dead share at the end."""
    limit = view.thresholds.get("dead-units", 0.5)
    worst = max(_rectified(view), key=lambda s: s.dead_end or 0.0, default=None)
    if worst is None or not (worst.dead_end or 0.0) >= limit:
        return None
    share = worst.dead_end or 0.0
    later = " (alive at the start)" if (worst.dead_start or 0.0) < 0.5 * share else ""
    text = f"{share:.0%} of the {worst.units} units after {worst.name} are zero for every sample{later}."
    return Symptom("dead-units", text, share, limit, float(np.clip((share - limit) / 0.4 + 0.2, 0.2, 1.0)), worst.name, worst.place)


def dead_from_start(view: View) -> Symptom | None:
    """Dead before any step could have done it."""
    limit = view.thresholds.get("dead-from-start", 0.5)
    worst = max(_rectified(view), key=lambda s: s.dead_start or 0.0, default=None)
    if worst is None or not (worst.dead_start or 0.0) >= limit:
        return None
    share = worst.dead_start or 0.0
    text = f"{share:.0%} of the {worst.units} units after {worst.name} are zero for every sample from the first steps on."
    return Symptom("dead-from-start", text, share, limit, float(np.clip((share - limit) / 0.4 + 0.2, 0.2, 1.0)), worst.name, worst.place)


def wholly_dead(view: View) -> Symptom | None:
    """A hidden rectifier all of whose units are silent in every look, from the first to the last."""
    site = next((s for s in _rectified(view) if s.hidden and s.samples >= _FEWEST_LOOKS and s.dead_start == s.dead_end == 1.0), None)
    if site is None:
        return None
    text = f"{site.name} puts out nothing but zeros, for every sample from the first step to the last."
    return Symptom("wholly-dead", text, 1.0, None, 1.0, site.name, site.place)


def saturated_units(view: View) -> Symptom | None:
    """Hidden sites only: a sure classifier's output may saturate, and so may a gate."""
    limit = view.thresholds.get("saturated-units", 0.5)
    hidden = {s.name: s for s in view.recording.sites if s.hidden and not s.gate}
    worst: tuple[float, str] = (0.0, "")
    for site, seen in _by_site(view).items():
        shares = [a.saturated for a in seen[:10] if a.saturated is not None]
        if site in hidden and shares:
            worst = max(worst, (float(np.mean(shares)), site))
    if worst[0] < limit:
        return None
    text = f"{worst[0]:.0%} of the outputs of {worst[1]} ({hidden[worst[1]].function}) lie near an asymptote."
    return Symptom("saturated-units", text, worst[0], limit, min(1.0, 0.4 + (worst[0] - limit) * 1.5), worst[1], hidden[worst[1]].place)


def squashed_signal(view: View) -> Symptom | None:
    """Each squashing function shrinks what differs and adds a constant; the worst hidden one in the first looks, gates apart."""
    limit = view.thresholds.get("squashed-signal", 0.06)
    hidden = {s.name: s for s in view.recording.sites if s.hidden and not s.gate and s.function in ("sigmoid", "tanh", "softmax", "hardsigmoid", "softsign")}
    if any(s.module and not s.hidden for s in view.recording.sites):
        # Outside of the modules whose output this is, a softmax makes the probabilities from which an action is drawn.
        hidden = {name: s for name, s in hidden.items() if s.module or s.function != "softmax"}
    worst: tuple[float, str] = (math.inf, "")
    for site, seen in _by_site(view).items():
        ratios = [a.spread / _rms(a) for a in seen[:5] if _rms(a) > 0 and a.spread is not None]
        if site in hidden and len(ratios) >= 2:
            worst = min(worst, (float(np.median(ratios)), site))
    if not worst[0] < limit or _one_by_one(view) or _inputs_alike(view):
        return None
    text = f"From the first steps on the outputs of {worst[1]} ({hidden[worst[1]].function}) differ between samples by {worst[0]:.1%} of their size only."
    return Symptom("squashed-signal", text, worst[0], limit, min(1.0, 0.4 + 0.4 * math.log10(limit / max(worst[0], 1e-6))), worst[1], hidden[worst[1]].place)


def signal_collapses(view: View) -> Symptom | None:
    """Every sample looks the same to the deeper layers."""
    limit = view.thresholds.get("signal-collapses", 0.02)
    hidden = {s.name: s for s in view.recording.sites if s.hidden and s.function not in ("embedding", "softmax", "log_softmax")}
    # At its first call the cell of a recurrence is given a state of zeros.
    hidden = {name: s for name, s in hidden.items() if f"{name}#2" not in hidden}
    worst: tuple[float, str] = (math.inf, "")
    for site, seen in _by_site(view).items():
        ratios = [(a.spread or 0.0) / _rms(a) for a in seen[: max(3, len(seen) // 2)] if _rms(a) > 0 and a.spread is not None]
        if site in hidden and len(ratios) >= 2:
            worst = min(worst, (float(np.median(ratios)), site))
    if worst[0] >= limit or _one_by_one(view) or _inputs_alike(view):
        return None
    text = f"The outputs of {worst[1]} differ between samples by {worst[0]:.2%} of their size only."
    return Symptom("signal-collapses", text, worst[0], limit, min(1.0, 0.4 + 0.4 * math.log10(limit / max(worst[0], 1e-6))), worst[1], hidden[worst[1]].place)


def norm_erases(view: View) -> Symptom | None:
    """A normalisation that leaves nothing of what differs between samples: over one feature, or over what is alike.

    From there on all is alike, up to the output: a branch whose input is the same for all samples is no loss.
    """
    limit = view.thresholds.get("norm-erases", 1e-3)
    seen = _by_site(view)
    if _inputs_alike(view):
        return None
    known: list[tuple[Site, float]] = []
    for site in sorted(view.recording.sites, key=lambda s: s.order):
        ratios = [(a.spread or 0.0) / max(_rms(a), 1e-12) for a in seen.get(site.name, []) if a.spread is not None and math.isfinite(_rms(a))]
        if len(ratios) >= 2:
            # What comes of training is no misuse; before the first step the biases are zero, and what is left is rounding.
            known.append((site, max(float(np.median(ratios[1:4])), float(np.median(ratios)))))
    alike = len(known)
    while alike and known[alike - 1][1] < limit:
        alike -= 1
    if alike == len(known):
        return None
    site, ratio = known[alike]
    if site.function in _NORMS:
        text = f"The outputs of {site.module or site.name} are alike for all samples: the normalisation has taken away what differs."
        return Symptom("norm-erases", text, ratio, limit, 1.0, site.module, site.place)
    norm = known[alike - 1][0] if alike else None
    silent = not float(np.median([_rms(a) for a in seen[site.name]])) > 0
    if silent or norm is None or norm.function not in _NORMS:
        return None  # it is dead, or collapsed before
    text = f"{norm.module or norm.name} leaves each sample the same mean, and what comes next keeps nothing but the mean: the outputs of {site.module or site.name} are alike for all samples."
    return Symptom("norm-erases", text, ratio, limit, 1.0, norm.module, norm.place)


def activations_explode(view: View) -> Symptom | None:
    """Large hidden outputs; non-finite ones count as infinite."""
    limit = view.thresholds.get("activations-explode", 1000.0)
    hidden = {s.name: s for s in view.recording.sites}
    worst: tuple[float, str] = (0.0, "")
    for site, seen in _by_site(view).items():
        if site in hidden:
            sizes = [_rms(a) if math.isfinite(_rms(a)) else math.inf for a in seen]
            worst = max(worst, (max(sizes), site))
    size = math.hypot(*(float(np.nanmean(x)) for x in (view.features.mean, view.features.std))) if view.features and view.features.mean else 1.0
    if worst[0] < limit * max(1.0, size if math.isfinite(size) else 1.0):
        return None
    text = f"Outputs of {worst[1]} reach a root mean square of {worst[0]:.3g}."
    return Symptom("activations-explode", text, worst[0], limit, min(1.0, 0.4 + 0.2 * math.log10(min(worst[0], 1e12) / limit)), worst[1], hidden[worst[1]].place)


DETECTORS = (dead_units, dead_from_start, wholly_dead, saturated_units, squashed_signal, signal_collapses, norm_erases, activations_explode)
