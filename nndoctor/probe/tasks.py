"""The losses of torch by the kind of target that they take."""

from __future__ import annotations

from torch import Tensor

from nndoctor.probe import graph

# torch.nn.functional's losses of the form f(prediction, target); the loss modules call these.
FUNCTIONS = (
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss",
)  # fmt: skip
CLASS_LOSSES = frozenset({"cross_entropy", "nll_loss", "multi_margin_loss"})
BINARY_LOSSES = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss"})
REAL_LOSSES = frozenset({
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "gaussian_nll_loss",
    "by-hand:squared-error", "by-hand:absolute-error", "by-hand:difference",
})  # fmt: skip
SYMMETRIC = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})


def task_of(function: str, prediction: Tensor, target: Tensor) -> str:
    """`Labels.task`: "classes", "probabilities", "binary", "multilabel" or "real"."""
    if function in CLASS_LOSSES and not target.is_floating_point():
        return "classes"
    if function == "cross_entropy":
        if target.dim() >= 2 and target.shape == prediction.shape:
            return "probabilities"
        return "real"
    if function == "kl_div":
        return "probabilities"
    if function in BINARY_LOSSES:
        # One number a sample, or one a pixel; two axes are samples and labels, or places if one unit answers for all of them.
        return "multilabel" if target.dim() == 2 and target.shape[1] > 1 and graph.last_width(prediction.grad_fn) != 1 else "binary"
    return "real"
