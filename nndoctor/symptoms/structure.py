"""What the autograd graph says of the network: does the loss reach what should learn, and what lies between them?"""

from __future__ import annotations

import math

from nndoctor.record.model import ParameterInfo
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("unreached-parameters", "structure", "Trainable parameters that no loss reaches.", 0.01, "Their share of the model's numbers."),
    SymptomInfo("loss-left-out", "structure", "The loss that compares with the targets is computed in every step, and backward is called on something else."),
    SymptomInfo("unregistered-layers", "structure", "Layers that the forward uses but the model does not own: an optimiser of model.parameters() cannot hold them."),
    SymptomInfo("time-over-batch", "structure", "A recurrent or attention layer takes the batch for the sequence: samples are mixed with one another."),
    SymptomInfo("batch-reshaped", "structure", "A view or reshape makes the first axis of a batch the second one: a transposition would keep each sample together, this deals parts of samples out."),
    SymptomInfo("softmax-over-batch", "structure", "A softmax within the network runs over the batch: the weights of one sample depend on what the others hold."),
    SymptomInfo("no-bend", "structure", "Two or more layers in a row with nothing nonlinear anywhere between the first and the loss."),
    SymptomInfo("norm-momentum", "structure", "Batch norm's running statistics never move, or follow the last batch alone, or almost.", 0.9, "Share that the last batch has in them; torch's default is 0.1, which other libraries spell 0.9."),
    SymptomInfo("norm-few-values", "structure", "Batch norm takes its statistics from two or three values.", 3.0, "Values of a feature in a batch: two become -1 and 1 whatever they were (Wu and He 2018 see the error rise from eight on downwards)."),
    SymptomInfo("squashing-stack", "structure", "Hidden sigmoid, tanh or softmax activations in series.", 3.0, "How many, a tanh counting half: each sigmoid passes at most a quarter of the gradient on (Glorot and Bengio 2010)."),
)  # fmt: skip
_BATCH_SIZES = 2  # that a loader makes: the usual one and the rest


def unreached_parameters(view: View) -> Symptom | None:
    """Parameters in the optimiser, or in a model that is partly reached, that no backward call reaches."""
    limit = view.thresholds.get("unreached-parameters", 0.01)
    if not view.graphs or any(g.truncated for g in view.graphs):
        return None
    graded = {i for s in view.steps_seen for i, v in enumerate(s.norms) if v}
    live = {view.parameters[i].model for i in view.reached if i in view.parameters}
    lost = [
        p for p in view.recording.parameters
        if p.requires_grad and p.index not in view.frozen and p.index not in view.gone and p.index not in view.reached and p.index not in graded and (p.model in live or _ran_optimised(view, p))
    ]  # fmt: skip
    if not lost:
        return None
    everything = [p for p in view.recording.parameters if p.requires_grad and (p.model in live or p in lost)]
    share = sum(math.prod(p.shape) for p in lost) / max(sum(math.prod(p.shape) for p in everything), 1)
    if share <= limit:
        return None
    names = sorted({p.module or p.name for p in lost})
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    text = f"{len(lost)} of {len(everything)} trainable tensors ({share:.0%} of the numbers) are not reached by the loss: {shown}."
    ran = set(view.recording.end.ran) & set(names) if view.recording.end else set()
    strength = min(1.0, 0.8 + share) if ran else min(0.8, 0.4 + share)
    text += " They run in the forward." if ran else " They never run in a training forward."
    return Symptom("unreached-parameters", text, share, limit, strength, names[0], lost[0].place)


def _ran_optimised(view: View, p: ParameterInfo) -> bool:
    """Whether an optimised parameter of a model that the loss reaches nowhere took part in the training forwards all the same."""
    end = view.recording.end
    if end is None or p.model < 0 or p.index not in view.optimised or not view.optimised & view.reached:
        return False  # an optimiser that holds nothing the loss reaches was given the wrong model
    return p.module in end.ran


def loss_left_out(view: View) -> Symptom | None:
    """Computed with gradients from the model's output, and in none of the graphs; nothing else that is compared is, either."""
    compared = {x.index for x in view.recording.losses if x.target is not None}
    if not view.graphs or any(compared & set(g.losses) for g in view.graphs):
        return None
    steps = len(view.steps_seen)
    left = next((x for x in view.recording.losses if x.target is not None and x.chain and x.calls >= max(5, steps // 2)), None)
    if left is None:
        return None
    text = f"{left.function} is computed {left.calls} times from the model's output, and its gradient reaches nothing: backward is called on something that does not contain it."
    return Symptom("loss-left-out", text, float(left.calls), 0, 1.0, left.function, left.place)


def unregistered_layers(view: View) -> Symptom | None:
    """Layers kept in a plain list or dict."""
    hidden = [p for p in view.recording.parameters if p.model < 0 and ".(" in p.name and p.index in view.reached and p.requires_grad]
    outside = [p for p in hidden if p.index not in view.optimised]
    if not outside:
        return None
    names = sorted({p.module for p in outside})
    text = f"{len(names)} layer{'s' if len(names) > 1 else ''} used in the forward {'are' if len(names) > 1 else 'is'} not registered in the model ({', '.join(names[:4])}), so no optimiser holds {'them' if len(names) > 1 else 'it'}."
    return Symptom("unregistered-layers", text, float(len(names)), 0, 1.0, names[0], outside[0].place)


def time_over_batch(view: View) -> Symptom | None:
    """Its first axis has one entry for each target, and the next one has not."""
    loss = view.main_loss
    if loss is None or loss.target is None or not loss.target.shape:
        return None
    samples, others = loss.target.shape[0], loss.target.shape[1:]
    sizes = {s.batch for s in view.steps_seen if s.batch}
    for s in view.recording.sequences:
        if s.shape[1] in sizes and samples not in sizes or s.shape[1] == 1 and len(sizes) > _BATCH_SIZES:
            continue  # one sample at a time with a target for each position: the model got it whole, or each is as long as it is
        if s.shape[0] == samples and s.shape[1] not in (samples, *others):
            text = f"{s.module} ({s.type}) takes the first axis of its input for time and is given {' × '.join(map(str, s.shape))}, where the first axis is the {samples} samples of the batch: each sample is processed as a step that follows on the one before."
            return Symptom("time-over-batch", text, float(samples), 0, 1.0, s.module, s.place)
    return None


def batch_reshaped(view: View) -> Symptom | None:
    """Of a tensor whose first axis is as long as the batch."""
    sizes = {s.batch for s in view.steps_seen if s.batch}
    for r in view.recording.reshapings:
        if r.before[0] in sizes:
            text = f"A batch of {r.before[0]} samples, {' × '.join(map(str, r.before))}, is read anew as {' × '.join(map(str, r.after))}: view and reshape keep the order of the numbers, so that what stands under one sample now is made of parts of several."
            return Symptom("batch-reshaped", text, float(r.before[0]), None, 1.0, "", r.place)
    return None


def softmax_over_batch(view: View) -> Symptom | None:
    """A hidden one whose first axis has one entry for each target. A bag of instances has one target, a table of pairs is square."""
    loss = view.main_loss
    samples = loss.target.shape[0] if loss is not None and loss.target is not None and loss.target.shape else None
    for site in view.recording.sites:
        if site.axis == 0 and site.length == samples and samples is not None and samples > 1 and site.hidden and not site.square:
            text = f"The softmax at {site.name} runs over the first axis, that of the {samples} samples: what one sample gets depends on the others of its batch."
            return Symptom("softmax-over-batch", text, float(samples), None, 1.0, site.module or site.name, site.place)
    return None


def no_bend(view: View) -> Symptom | None:
    """A deep network that is one linear map."""
    g = view.graph
    if g is None or g.truncated or g.layers < 2 or g.nonlinear > 0 or g.linear_pairs < 1:
        return None
    loss = view.main_loss
    link = next((x for x in (loss.chain if loss else []) if x.place is not None), None)
    text = f"{g.layers} layers follow one another and no operation between the first and the loss bends: together they are one linear map."
    return Symptom("no-bend", text, float(g.layers), 1, 1.0, "", link.place if link else None)


def norm_momentum(view: View) -> Symptom | None:
    """Momentum 0 keeps 0 and 1 for ever, momentum 1 forgets all but the last batch, and 0.99 is a slow average in other libraries."""
    limit = view.thresholds.get("norm-momentum", 0.9)
    for m in view.recording.modules:
        momentum = m.settings.get("momentum")
        if "BatchNorm" not in m.type or not isinstance(momentum, (int, float)) or isinstance(momentum, bool) or not m.settings.get("track_running_stats", True):
            continue
        if momentum <= 0 or momentum >= limit:
            what = "stay at 0 and 1 for ever" if momentum <= 0 else "are those of the last batch alone" if momentum >= 1 else f"are those of the last batch to {momentum:.0%}"
            return Symptom("norm-momentum", f"{m.name} has momentum {momentum:g}: the statistics that evaluation uses {what}.", float(momentum), limit, 0.6 if 0 < momentum < 1 else 1.0, m.name, m.place)
        mode = next((x for x in view.recording.modes if x.module == m.name), None)
        if mode is not None and mode.still > mode.training / 2:
            text = f"{m.name} was built with momentum {momentum:g}, and had next to none in {mode.still} of the {mode.training} training forwards that were looked at: the statistics that evaluation uses stay what they were."
            return Symptom("norm-momentum", text, 0.0, limit, 1.0, m.name, m.place)
    return None


def norm_few_values(view: View) -> Symptom | None:
    """In training mode: with two values a feature keeps only which of them is larger. One small last batch is no rule."""
    limit = view.thresholds.get("norm-few-values", 3.0)
    for site in view.recording.sites:
        mode = next((m for m in view.recording.modes if m.module == site.module), None)
        if site.function != "batch_norm" or site.values is None or site.values > limit or mode is None or not mode.training:
            continue
        if view.batch is not None and view.batch <= limit:
            text = f"{site.module or site.name} computes mean and variance over {site.values} value{'s' if site.values > 1 else ''} of each feature: hardly anything of them is left."
            return Symptom("norm-few-values", text, float(site.values), limit, 1.0, site.module, site.place)
    return None


def squashing_stack(view: View) -> Symptom | None:
    """Depth in squashing activations; weights shared over time do not count, nor do gates, which the signal passes by."""
    limit = view.thresholds.get("squashing-stack", 3.0)
    sites = [s for s in view.recording.sites if s.hidden and not s.gate and s.function in ("sigmoid", "tanh", "softmax", "hardsigmoid", "softsign", "hardtanh")]
    if not sites:
        return None
    weight = sum(0.5 if s.function in ("tanh", "softsign", "hardtanh") else 1.0 for s in sites)
    matrices = len([p for p in view.weights() if p.index in view.reached])
    depth = min(weight, float(max(matrices - 1, 0)))
    if depth < limit:
        return None
    kinds = ", ".join(sorted({s.function for s in sites}))
    text = f"{len(sites)} hidden {kinds} activations in series; each passes on a part of the gradient only."
    return Symptom("squashing-stack", text, depth, limit, min(1.0, 0.4 + 0.15 * (depth - limit)), sites[0].name, sites[0].place)


DETECTORS = (unreached_parameters, loss_left_out, unregistered_layers, time_over_batch, batch_reshaped, softmax_over_batch, no_bend, norm_momentum, norm_few_values, squashing_stack)
