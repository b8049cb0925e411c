"""Faults that are put into a base script, each with the cause that is right to name, and changes that do no harm.

Most follow the mutation operators of DeepCrime (Humbatova, Jahangirova and Tonella 2021); the rest are the causes of the
knowledge base that those lack. An operator returns None where the base has nothing that it could change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.lab.bases import Base

Change = Callable[[Base], Base | None]


@dataclass(frozen=True)
class Operator:
    """One fault at one strength; `cause` is "" for a change that should do no harm."""

    name: str
    cause: str
    change: Change
    accept: frozenset[str] = frozenset()  # other answers that are right as well
    harms: str = "score"  # "score": validation gets worse; "by-construction": what it does shows otherwise


def _slots(**texts: str) -> Change:
    return lambda base: replace(base, slots={**base.slots, **texts})


def _after_data(text: str, needs: Callable[[Base], bool] = lambda _: True) -> Change:
    return lambda base: replace(base, slots={**base.slots, "after_data": text}) if needs(base) else None


def _after_model(text: str) -> Change:
    return _slots(after_model=text)


def _fields(**fields: object) -> Change:
    return lambda base: replace(base, **fields)  # type: ignore[arg-type]


def _model(pattern: str, new: str, at_least: int = 1) -> Change:
    """Replace in the text of the model."""

    def change(base: Base) -> Base | None:
        text, n = re.subn(pattern, new, base.model)
        return replace(base, model=text) if n >= at_least else None

    return change


def _rate(factor: float) -> Change:
    return lambda base: replace(base, lr=base.lr * factor)


def _sgd(settings: str, lr: float = 0.05) -> Change:
    return _fields(optimizer="SGD", settings=settings, lr=lr)


def _real(base: Base) -> bool:
    """Inputs are real numbers, not ids."""
    return "rng.integers(1, 20" not in base.data and "torch.tensor(codes)" not in base.data and "argparse" not in base.data


def _table(base: Base) -> bool:
    return "table, target" in base.data and _real(base)


def _of(kind: str) -> Callable[[Base], bool]:
    return lambda base: base.kind == kind


def _loss(text: str, kind: str) -> Change:
    return lambda base: replace(base, loss=text) if base.kind == kind else None


def _sequential(base: Base) -> bool:
    return base.model.startswith("model = nn.Sequential(")


def _if(needs: Callable[[Base], bool], change: Change) -> Change:
    return lambda base: change(base) if needs(base) else None


_WEIGHTS = "for p in model.parameters():\n    if p.dim() > 1:\n        nn.init.{}\n"
_BAD_ROWS = "bad = torch.tensor(rng.choice(len(x), int({share} * len(x)), replace=False))\n"  # of the training data alone
FAULTS = (
    # --- data
    Operator("scale-255", "input-not-normalized", _after_data("x, xv = 255 * (x + 1), 255 * (xv + 1)", _real), frozenset({"lr-too-high"})),
    Operator("one-feature-large", "input-not-normalized", _after_data("x[:, 0] *= 3000\nxv[:, 0] *= 3000", _table)),
    Operator("offset", "input-not-normalized", _after_data("x, xv = x + 100, xv + 100", _real)),
    Operator("missing", "input-nonfinite", _after_data(_BAD_ROWS.format(share=0.03) + "x[bad] = float('nan')", _real)),
    Operator("outliers", "input-outliers", _after_data(_BAD_ROWS.format(share=0.01) + "x[bad] *= 1e4", _real)),
    Operator("zeroed", "input-uninformative", _after_data("x, xv = torch.zeros_like(x), torch.zeros_like(xv)")),
    Operator("faded", "input-uninformative", _after_data("x, xv = x * 1e-8, xv * 1e-8", _real), frozenset({"input-not-normalized"})),
    Operator("shuffled-labels", "labels-misaligned", _after_data("y = y[torch.randperm(len(y))]")),
    Operator("shifted-labels", "labels-misaligned", _after_data("y = y.roll(1, 0)")),
    Operator("noisy-40", "labels-noisy", _after_data(_BAD_ROWS.format(share=0.4) + "y[bad] = y[bad[torch.randperm(len(bad))]]", _of("classes"))),
    Operator("noisy-60", "labels-noisy", _after_data(_BAD_ROWS.format(share=0.6) + "y[bad] = y[bad[torch.randperm(len(bad))]]", _of("classes")), frozenset({"labels-misaligned"})),
    Operator("one-class", "label-encoding", _after_data("y = torch.zeros_like(y)", _of("classes"))),
    Operator("plus-minus", "label-encoding", _after_data("y = 2 * y - 1", lambda b: b.kind in ("binary", "multilabel"))),
    Operator("rare-class", "class-imbalance", _after_data("keep = (y == 0) | (torch.rand(len(y)) < 0.02)\nx, y = x[keep], y[keep]", _of("classes"))),
    Operator("thirty-rows", "dataset-too-small", lambda b: replace(b, slots={**b.slots, "after_data": "x, y = x[:30], y[:30]"}, epochs=150, batch=8), frozenset({"no-regularization", "model-too-large"})),
    Operator("sorted", "not-shuffled", _if(_of("classes"), _slots(after_data="order = y.argsort()\nx, y = x[order], y[order]", shuffle="False"))),
    Operator("junk-columns", "irrelevant-features", _if(_table, lambda b: replace(b, slots={**b.slots, "after_data": "x, y = x[:160], y[:160]\nx = torch.cat([x, torch.randn(len(x), 400)], 1)\nxv = torch.cat([xv, torch.randn(len(xv), 400)], 1)"}, epochs=40, model=re.sub(r"nn\.Linear\((\d+),", lambda m: f"nn.Linear({int(m.group(1)) + 400},", b.model, count=1)) if _sequential(b) else None), frozenset({"dataset-too-small", "no-regularization"})),
    Operator("validation-raw", "train-val-mismatch", _after_data("xv = xv * 20 + 30", _real)),
    Operator("copies-split", "train-val-leakage", _after_data("every, target = torch.cat([x, xv]), torch.cat([y, yv])\nchosen = torch.randint(len(every), (2 * len(every),))\nevery, target = every[chosen], target[chosen]\ncut = int(0.8 * len(every))\nx, xv, y, yv = every[:cut], every[cut:], target[:cut], target[cut:]", _real), harms="by-construction"),
    # --- model
    Operator("sigmoids", "saturating-activation", _model(r"nn\.ReLU\(\)", "nn.Sigmoid()", 3), frozenset({"vanishing-gradient"})),
    Operator("softmax-hidden", "saturating-activation", _model(r"nn\.ReLU\(\)", "nn.Softmax(dim=-1)", 2), frozenset({"vanishing-gradient"})),
    Operator("no-activations", "no-nonlinearity", _model(r"nn\.(ReLU|GELU|Tanh)\(\), ", "")),
    Operator("narrow", "model-too-small", _if(_of("classes"), _model(r"nn\.Linear\((\d+), (24|32|48|64|96)\)((?:, nn\.\w+\([\d.]*\))*, )nn\.Linear\(\2, ", r"nn.Linear(\1, 1)\3nn.Linear(1, "))),
    Operator("zero-weights", "bad-initialization", _after_model(_WEIGHTS.format("zeros_(p)"))),
    Operator("equal-weights", "bad-initialization", _after_model(_WEIGHTS.format("constant_(p, 0.1)"))),
    Operator("huge-weights", "bad-initialization", _after_model(_WEIGHTS.format("normal_(p, 0.0, 5.0)")), frozenset({"exploding-gradient"})),
    Operator("tiny-weights", "bad-initialization", _after_model(_WEIGHTS.format("normal_(p, 0.0, 1e-6)")), frozenset({"vanishing-gradient"})),
    Operator("low-biases", "dying-relu", _if(lambda b: "nn.ReLU()" in b.model, _after_model("for m in model.modules():\n    if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d)):\n        nn.init.constant_(m.bias, -8.0)\n")), frozenset({"bad-initialization"})),
    Operator("relu-output", "output-activation", _if(lambda b: b.kind == "real" and b.name != "stencils", lambda b: replace(b, slots={**b.slots, "after_model": "model = nn.Sequential(model, nn.ReLU())"})), frozenset({"dying-relu"})),
    Operator("sigmoid-output", "output-activation", _if(lambda b: b.kind == "real" and b.name != "stencils", _after_model("model = nn.Sequential(model, nn.Sigmoid())"))),
    Operator("dropout-95", "over-regularization", _if(_sequential, _model(r"nn\.(ReLU|GELU|Tanh)\(\), (?!nn\.Dropout)", r"nn.\1(), nn.Dropout(0.95), "))),
    Operator("decay", "over-regularization", _fields(optimizer="SGD", settings=", momentum=0.9, weight_decay=1.0", lr=0.02)),
    Operator("detached", "disconnected-parameters", _if(lambda b: "class Net" in b.model, _model(r"return self\.head\((.*)\)\n", r"return self.head((\1).detach())\n"))),
    Operator("norm-momentum", "normalization-misuse", _model(r"nn\.BatchNorm(\d)d\((\d+)\)", r"nn.BatchNorm\1d(\2, momentum=0.0)")),
    # --- loss
    Operator("softmax-twice", "loss-input", _loss("F.cross_entropy(out.softmax(1), yb)", "classes")),
    Operator("logits-as-log", "loss-input", _loss("F.nll_loss(out, yb)", "classes"), frozenset({"unstable-loss"})),
    Operator("sigmoid-twice", "loss-input", _loss("F.binary_cross_entropy_with_logits(out.sigmoid(), yb)", "binary")),
    Operator("softmax-one", "loss-input", _loss("F.binary_cross_entropy(out.softmax(1), yb)", "binary")),
    Operator("squared-classes", "loss-mismatch", _loss("F.mse_loss(out[:, 0], yb.float())", "classes")),
    Operator("cross-entropy-reals", "loss-mismatch", _loss("F.cross_entropy(out, yb)", "real")),
    Operator("broadcast", "loss-broadcast", _if(lambda b: b.name != "stencils", _loss("F.mse_loss(out, yb.squeeze(1))", "real"))),
    Operator("negated", "loss-sign", _slots(backward="loss = -loss\nloss.backward()")),
    Operator("argmaxed", "loss-detached", _loss("F.mse_loss(out.argmax(1).float().requires_grad_(), yb.float())", "classes")),
    # --- optimization
    Operator("rate-x100", "lr-too-high", _rate(100)),
    Operator("rate-x1000", "lr-too-high", _rate(1000), frozenset({"exploding-gradient"})),
    Operator("rate-/300", "lr-too-low", _rate(1 / 300), frozenset({"undertrained"})),
    Operator("rate-/3000", "lr-too-low", _rate(1 / 3000)),
    Operator("schedule-gone", "lr-schedule", _slots(before_loop="schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)", after_step="schedule.step()")),
    Operator("long-warm-up", "lr-schedule", _slots(before_loop="schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, s / 2e5))", after_step="schedule.step()"), frozenset({"lr-too-low"})),
    Operator("single-rows", "batch-size-too-small", _if(lambda b: "BatchNorm" not in b.model, lambda b: replace(b, optimizer="SGD", settings=", momentum=0.9", lr=0.03, batch=1, epochs=2)), frozenset({"lr-too-high"})),
    Operator("whole-set", "batch-size-too-large", _fields(batch=100000), frozenset({"undertrained"})),
    Operator("momentum-999", "optimizer-mismatch", _sgd(", momentum=0.999")),
    Operator("clip-1e-4", "clipping-too-tight", lambda b: replace(b, optimizer="SGD", settings=", momentum=0.9", lr=0.05, slots={**b.slots, "between": "nn.utils.clip_grad_norm_(model.parameters(), 1e-4)"})),
    Operator("one-epoch", "undertrained", lambda b: replace(b, epochs=1, batch=b.batch * 2, lr=b.lr / 3), frozenset({"lr-too-low", "batch-size-too-large"})),
    Operator("bfloat", "low-precision", lambda b: replace(b, optimizer="SGD", settings="", lr=0.01, slots={**b.slots, "after_model": "model = model.to(torch.bfloat16)", "after_data": "x, xv = x.to(torch.bfloat16), xv.to(torch.bfloat16)"}, loss=b.loss.replace("out", "out.float()")) if _real(b) else None, frozenset({"lr-too-low"})),
    # --- loop
    Operator("never-cleared", "missing-zero-grad", _slots(zero="")),
    Operator("no-step", "missing-step", _slots(step="")),
    Operator("cleared-late", "missing-step", _slots(zero="", between="optimizer.zero_grad()")),
    Operator("piled-up", "accumulation-scale", lambda b: replace(b, optimizer="SGD", settings=", momentum=0.9", lr=0.05, batch=8, slots={**b.slots, "zero": "", "step": "count = globals().get('count', 0) + 1\nif count % 16 == 0:\n    optimizer.step()\n    optimizer.zero_grad()"}) if b.style != "functions" else None, frozenset({"lr-too-high"})),
    Operator("other-parameters", "optimizer-parameters", lambda b: replace(b, slots={**b.slots, "optimizer": f"import copy\noptimizer = torch.optim.{b.optimizer}(copy.deepcopy(model).parameters(), lr={b.lr}{b.settings})"})),
    Operator("only-biases", "optimizer-parameters", lambda b: replace(b, slots={**b.slots, "optimizer": f"optimizer = torch.optim.{b.optimizer}([p for n, p in model.named_parameters() if 'bias' in n], lr={b.lr}{b.settings})"})),
    Operator("frozen", "frozen-parameters", _after_model("for p in list(model.parameters())[:-2]:\n    p.requires_grad_(False)")),
    Operator("evaluation-on", "eval-mode-training", _if(lambda b: "BatchNorm" in b.model, _slots(train="model.eval()"))),
    Operator("training-on", "train-mode-evaluation", _if(lambda b: "Dropout" in b.model or "BatchNorm" in b.model, lambda b: replace(b, model=re.sub(r"nn\.Dropout\([\d.]+\)", "nn.Dropout(0.5)", b.model), slots={**b.slots, "evaluate": "model.train()"}))),
    Operator("first-batch", "repeated-batch", _slots(batches="[next(iter(loader)) for _ in loader][:1] * len(loader)", shuffle="False")),
)  # fmt: skip
HARMLESS = (
    Operator("as-it-is", "", lambda b: b),
    Operator("rate-x2", "", _rate(2)),
    Operator("rate-/2", "", _rate(0.5)),
    Operator("batch-x2", "", lambda b: replace(b, batch=b.batch * 2)),
    Operator("batch-/2", "", lambda b: replace(b, batch=b.batch // 2)),
    Operator("leaky", "", _model(r"nn\.ReLU\(\)", "nn.LeakyReLU()")),
    Operator("silu", "", _model(r"nn\.ReLU\(\)", "nn.SiLU()")),
    Operator("some-decay", "", _fields(optimizer="AdamW", settings=", weight_decay=0.05", lr=3e-3)),
    Operator("momentum", "", _sgd(", momentum=0.9, nesterov=True")),
    Operator("clipped", "", _slots(between="nn.utils.clip_grad_norm_(model.parameters(), 1.0)")),
    Operator("cosine", "", lambda b: replace(b, slots={**b.slots, "before_loop": f"schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {b.epochs})", "after_epoch": "schedule.step()"})),
    Operator("few-wrong", "", _after_data(_BAD_ROWS.format(share=0.03) + "y[bad] = y[bad[torch.randperm(len(bad))]]", _of("classes"))),
    Operator("xavier", "", _after_model(_WEIGHTS.format("xavier_uniform_(p)"))),
)  # fmt: skip
