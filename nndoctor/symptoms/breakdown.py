"""How a run breaks down: of a sudden, with everything of ordinary size, or by growing until numbers end."""

from __future__ import annotations

import math

from nndoctor.record.model import Activation, Link, Site
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("breaks-at-once", "breakdown", "The loss or its gradient is NaN or infinite of a sudden, while losses, weights and outputs were of ordinary size.", 1000.0, "Largest output of a layer at the last look before; what grows into an overflow passes through such sizes."),
    SymptomInfo("steep-loss", "breakdown", "The loss takes a logarithm, root, exponential or quotient of numbers that nothing keeps away from where it ends."),
    SymptomInfo("signal-grows", "breakdown", "Outputs grow by orders of magnitude from layer to layer, from the first forward on.", 100.0, "Largest root mean square of a layer's output over that of the first layers, in the first look; a layer at its standard start keeps the size."),
    SymptomInfo("recurrent", "breakdown", "The same weights are applied again and again within a forward.", 8.0, "How often; nn.RNN, nn.LSTM and nn.GRU count as often."),
)  # fmt: skip
# Infinite, or infinitely steep, somewhere in the reach of ordinary numbers.
_STEEP = frozenset({"Log", "Log2", "Log10", "Sqrt", "Rsqrt", "Reciprocal", "Div", "Exp", "Exp2", "Norm", "LinalgVectorNorm", "Acos", "Asin", "Acosh", "Atanh", "Xlogy"})
_CALM = 10.0  # times the first loss, or the constant's
_CALLS = 12  # of one layer in a forward, that show where it goes
_FIRST_SITES = 3


def _first_break(view: View) -> tuple[int, str] | None:
    """The step at which the first loss or gradient was no number, and which of them it was."""
    for s in view.steps_seen:
        if s.loss is not None and not math.isfinite(s.loss):
            return s.index, f"The loss was {s.loss} at step {s.index}"
        if s.gradient_norm is not None and not math.isfinite(s.gradient_norm):
            return s.index, f"The gradient was {s.gradient_norm} at step {s.index}, of a loss of {s.loss:.4g}" if s.loss is not None else f"The gradient was {s.gradient_norm} at step {s.index}"
    skipped = next((n for n in view.recording.nonfinite if n.where == "loss" and n.step >= view.since), None)
    if skipped is None:
        return None
    return skipped.step, f"The loss was NaN or infinite in {skipped.count} batches, which were skipped, the first at step {skipped.step}"


def _size(a: Activation) -> float:
    return math.hypot(a.mean or 0.0, a.std or 0.0)


def _layers(view: View) -> dict[str, Site]:
    """Sites by name, without the functions that a loss by hand is made of: their outputs are no layer's."""
    return {s.name: s for s in view.recording.sites if s.function not in ("exp", "square")}


def breaks_at_once(view: View) -> Symptom | None:
    """Nothing announced it: the losses before were calm, and the last outputs seen were of ordinary size."""
    limit = view.thresholds.get("breaks-at-once", 1000.0)
    found = _first_break(view)
    if found is None or any(n.where in ("input", "target") for n in view.recording.nonfinite) or _is_half(view):
        return None
    f = view.features
    if f is not None and any(f.missing):
        return None
    step, text = found
    before = [s.loss for s in view.steps_seen if s.index < step and s.loss is not None]
    usual = max(abs(view.first or 0.0), abs(view.constant or 0.0), 1e-3)
    if any(abs(x) > _CALM * usual for x in before):
        return None
    seen = max((a.step for a in view.recording.activations if a.step <= step), default=None)
    outputs = [_size(a) for a in view.recording.activations if a.step == seen and a.site in _layers(view)]
    largest = max(outputs, default=math.nan)
    if not outputs or not largest < limit:  # NaN: the layers themselves broke
        return None
    link = _steep_link(view)
    return Symptom("breaks-at-once", f"{text}; nothing had grown until then (losses up to {max(map(abs, before), default=usual):.3g}, outputs up to {largest:.3g}).",
                   float(step), limit, 1.0, "loss", link.place if link is not None else None)  # fmt: skip


def _is_half(view: View) -> bool:
    """In half precision ordinary numbers overflow."""
    return any("16" in p.dtype for p in view.recording.parameters) or any("16" in (x.prediction.dtype if x.prediction else "") for x in view.recording.losses)


def _steep_link(view: View) -> Link | None:
    """The operation nearest to the loss that has an end to its range, before any layer."""
    loss = view.main_loss
    chains = ([g.chain for g in view.graphs[:1]] or []) + ([loss.chain] if loss is not None else [])
    links = [link for chain in chains for link in chain if link.op in _STEEP]
    # A quotient by a fixed number is the mean of something: anything else is looked at first.
    return next((x for x in links if x.op != "Div"), links[0] if links else None)


def steep_loss(view: View) -> Symptom | None:
    """Only where it matters: something did break."""
    link = _steep_link(view)
    if link is None or _first_break(view) is None:
        return None
    name = {"Div": "a quotient", "Exp": "an exponential", "Sqrt": "a square root", "Log": "a logarithm"}.get(link.op, link.op.lower())
    where = f" at line {link.place.line}" if link.place is not None else ""
    return Symptom("steep-loss", f"Between the last layer and the loss stands {name}{where}, which is infinite, or infinitely steep, for some numbers.", None, None, 1.0, "loss", link.place)


def signal_grows(view: View) -> Symptom | None:
    """From the first layers' outputs to the largest, in the first look; the sizes of inputs cancel out. Where something broke, a layer
    that is called again and again need not have come as far, as its first calls alone are looked at.
    """
    limit = view.thresholds.get("signal-grows", 100.0)
    order = _layers(view)
    first = min((a.step for a in view.recording.activations), default=None)
    seen = sorted((a for a in view.recording.activations if a.step == first and a.site in order), key=lambda a: order[a.site].order)
    sizes = [(_size(a), a.site) for a in seen]
    if len(sizes) <= _FIRST_SITES:
        return None
    start = max((x for x, _ in sizes[:_FIRST_SITES] if math.isfinite(x)), default=0.0)
    largest, name = max(((x if math.isfinite(x) else math.inf, n) for x, n in sizes), key=lambda pair: pair[0])
    if start > 0 and largest / start >= limit:
        text = f"In the first forward the signal grows from {start:.3g} in the first layers to {largest:.3g} in {name}."
        return Symptom("signal-grows", text, largest / start, limit, min(1.0, 0.6 + 0.2 * math.log10(min(largest / start, 1e12) / limit)), name, order[name].place)
    name, calls = max(_by_call(sizes).items(), key=lambda pair: len(pair[1]), default=("", []))
    limit **= 1 / 3
    steadily = len(calls) >= _CALLS and all(b > a for a, b in zip(calls, calls[1:], strict=False))
    if not steadily or not calls[-1] / calls[0] >= limit or _first_break(view) is None:
        return None
    text = f"In the first forward the output of {name} grows from call to call, from {calls[0]:.3g} to {calls[-1]:.3g} in the {len(calls)} calls that were looked at."
    return Symptom("signal-grows", text, calls[-1] / calls[0], limit, min(1.0, 0.6 + 0.2 * math.log10(calls[-1] / calls[0] / limit)), name, order[name].place)


def _by_call(sizes: list[tuple[float, str]]) -> dict[str, list[float]]:
    """Sizes of a site's outputs by its calls, in their order; of the last layer that is called most, where several are called as often."""
    found: dict[str, list[float]] = {}
    for size, site in reversed(sizes):
        found.setdefault(site.split("#")[0], []).insert(0, size)
    return found


def recurrent(view: View) -> Symptom | None:
    """A recurrent layer of torch's, or a layer called many times a forward: its n-th call is a site `name#n`."""
    limit = view.thresholds.get("recurrent", 8.0)
    for m in view.recording.modules:
        if m.type in ("RNN", "LSTM", "GRU"):
            return Symptom("recurrent", f"{m.name} is a recurrent layer ({m.type}).", None, limit, 1.0, m.name, m.place)
    for site in view.recording.sites:
        name, _, times = site.name.rpartition("#")
        if site.module and times.isdigit() and int(times) >= limit:
            return Symptom("recurrent", f"{name} is applied {times} times or more in a forward.", float(times), limit, 1.0, name, site.place)
    return None


DETECTORS = (breaks_at_once, steep_loss, signal_grows, recurrent)
