"""The rules of earlier tools with the thresholds they were published with, as a baseline.

AutoTrainer (Zhang et al. 2021), UMLAUT (Schoop et al. 2021), DeepLocalize (Wardat et al. 2021), DeepDiagnosis (Wardat et al.
2022) and TheDeepChecker (Ben Braiek and Khomh 2023), as far as a recording holds what they measure; in the order in
which those tools report.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nndoctor.record.model import Recording
from nndoctor.symptoms.view import View


def causes(recording: Recording) -> Iterator[str]:
    """What the rules name, first first."""
    view = View(recording)
    losses, rates = view.losses, view.rates()
    if any(f.missing and max(f.missing) > 0 for f in recording.features):
        yield "input-nonfinite"
    if len(losses) and not np.isfinite(losses).all():
        yield "unstable-loss"
    if any(min(f.min, default=0) < -1 or max(f.max, default=0) > 1 for f in recording.features if f.dtype.startswith("float")):
        yield "input-not-normalized"  # UMLAUT: outside -1 to 1
    first, last = _gradients(view, 0), _gradients(view, -1)
    if first and last and first / last > 70:
        yield "exploding-gradient"
    if first is not None and last and first / last < 1e-3 and first < 1e-4:
        yield "vanishing-gradient"
    if any(s.parameters and np.median([p.zero or 0.0 for p in s.parameters]) >= 0.7 for s in view.samples[-1:]):
        yield "dying-relu"
    weights = view.weights()
    if any(p.std is not None and (p.std**2 < 1e-5 or p.std**2 > 10) for p in weights):
        yield "bad-initialization"
    if rates and max(rates) > 0.01:
        yield "lr-too-high"
    if rates and 0 < max(rates) < 1e-7:
        yield "lr-too-low"
    if len(losses) >= 50 and np.isfinite(losses).all() and abs(losses[-10:].mean() - losses[:10].mean()) < 0.05 * abs(losses[:10].mean()):
        yield "lr-too-low"  # does not learn
    skill = view.validation_skill
    if skill is not None and view.skill is not None and view.skill - skill > 0.3:
        yield "no-regularization"


def _gradients(view: View, at: int) -> float | None:
    """Gradient norm of the first or last weight matrix in the last look."""
    weights = view.weights()
    if not weights or not view.samples:
        return None
    wanted = weights[at].index
    return next((p.gradient for p in view.samples[-1].parameters if p.parameter == wanted), None)
