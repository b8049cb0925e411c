"""Changes the run at a point where it is watched, never the user's file. One change a trial, spelt as in `rate*0.1`."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def at_construction(optimizer: torch.optim.Optimizer, changes: Sequence[str]) -> None:
    """Apply what concerns an optimiser, just after it was built and before any scheduler reads its rate."""
    for change in changes:
        what, _, factor = change.partition("*")
        if what != "rate":
            raise ValueError(f"{change}: no change of this kind; valid: rate*FACTOR")
        for group in optimizer.param_groups:
            if "lr" in group:
                group["lr"] = group["lr"] * float(factor)
