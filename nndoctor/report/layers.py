"""The table by layer: gradient, weight, update, activation and dead units, from the samples of a recording."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from statistics import median

from nndoctor.record.model import Activation, ParameterSample, Recording, Site
from nndoctor.report.page import Page, Part, text
from nndoctor.report.words import clean, number, percent

_WIDE = 100  # a page narrower than this has no column for the layer's type
_NUMBERS, _TYPE = 60, 20  # characters that the numbers take, and the type
_ROWS = 40  # layers shown; of a deeper model the first and the last


@dataclass
class Layer:
    """One row: a module with parameters, a functional call, or a module that only computes."""

    name: str
    type: str
    gradient: float | None = None  # median over the sampled steps of the norm over its parameters
    weight: float | None = None  # norm at the last sampled step
    update: float | None = None  # median of the update's norm over the weight's
    spread: float | None = None  # deviation of the outputs at the last sampled step
    zero: float | None = None
    saturated: float | None = None
    dead: float | None = None
    parameters: list[int] = field(default_factory=list)


def layers(recording: Recording) -> list[Layer]:
    """The layers in the order of the forward pass; those that no site names stand where their parameters do."""
    rows: dict[str, Layer] = {}
    types = {m.name: m.type for m in recording.modules}
    for site in sorted(recording.sites, key=lambda s: s.order):
        name = site.module or site.name
        rows.setdefault(name, Layer(name, types.get(name, site.function)))
    rows = _with_parameters(recording, rows)
    looks = [{p.parameter: p for p in sample.parameters} for sample in recording.samples]
    for layer in rows.values():
        _measure_weights(layer, looks)
    last_seen = {a.site: a for a in recording.activations}  # in order of time: the last one stays
    for site in recording.sites:
        _measure_outputs(rows[site.module or site.name], site, last_seen.get(site.name))
    return list(rows.values())


def _with_parameters(recording: Recording, rows: dict[str, Layer]) -> dict[str, Layer]:
    """The same rows, and one for each owner of parameters that has none yet, behind the owner before it."""
    order = list(rows)
    position = 0
    for parameter in recording.parameters:
        owner = parameter.module or parameter.name
        if owner not in rows:
            rows[owner] = Layer(owner, parameter.module_type or "tensor")
            order.insert(position, owner)
        layer = rows[owner]
        layer.type = parameter.module_type or layer.type
        layer.parameters.append(parameter.index)
        position = order.index(owner) + 1
    return {name: rows[name] for name in order}


def _measure_weights(layer: Layer, looks: list[dict[int, ParameterSample]]) -> None:
    gradients, updates = [], []
    for look in looks:
        seen = [look[i] for i in layer.parameters if i in look]
        gradient, weight, update = (norm(getattr(p, name) for p in seen) for name in ("gradient", "weight", "update"))
        if gradient is not None:
            gradients.append(gradient)
        if update is not None and weight:
            updates.append(update / weight)
        layer.weight = weight if weight is not None else layer.weight
    layer.gradient = _middle(gradients)
    layer.update = _middle(updates)


def norm(norms: Iterable[float | None]) -> float | None:
    """Norm over several tensors from the norms of each; None where none was measured."""
    known = [v for v in norms if v is not None]
    return math.hypot(*known) if known else None


def _middle(values: list[float]) -> float | None:
    """The median; NaN where most of the values are."""
    finite = [v for v in values if not math.isnan(v)]
    if not values:
        return None
    return median(finite) if 2 * len(finite) > len(values) else math.nan


def _measure_outputs(layer: Layer, site: Site, activation: Activation | None) -> None:
    if site.dead_end is not None:
        layer.dead = max(layer.dead or 0.0, site.dead_end)
    if activation is not None:
        layer.spread, layer.zero, layer.saturated = activation.std, activation.zero, activation.saturated


def layer_table(page: Page, recording: Recording) -> None:
    """Write the table; nothing where neither parameters nor activations were sampled."""
    rows = layers(recording)
    if not rows:
        return
    page.heading("Layers, in the order of the forward pass")
    head = ["layer", "type", "gradient", "weight", "update/w", "output", "zero", "sat.", "dead"]
    room = page.width - _NUMBERS
    body = [_cells(layer, room - _TYPE if page.width >= _WIDE else room) for layer in rows]
    if page.width < _WIDE:
        head, body = _without(head, body, "type")
    if all(layer.saturated is None for layer in rows):
        head, body = _without(head, body, "sat.")
    half = _ROWS // 2
    if len(body) > _ROWS:
        skipped: list[Part] = [text((f"... {len(body) - _ROWS} more ...", "dim")), *[""] * (len(head) - 1)]
        body = [*body[:half], skipped, *body[-half:]]
    page.table(head, body, words=2 if page.width >= _WIDE else 1)
    page.gap()
    page.prose(
        (
            "Gradient norm, and update over weight norm: medians of the sampled steps. Output deviation and shares: the last one.",
            "dim",
        ),
        indent=2,
    )


def _cells(layer: Layer, room: int) -> list[Part]:
    return [
        _end_of(without_folders(clean(layer.name)), room), _end_of(clean(layer.type), _TYPE - 2), number(layer.gradient),
        number(layer.weight), number(layer.update, 2), number(layer.spread), percent(layer.zero),
        percent(layer.saturated), percent(layer.dead),
    ]  # fmt: skip


def without_folders(name: str) -> str:
    """`relu@models/net.py:28` as `relu@net.py:28`: what a functional call is known by is long enough."""
    function, at, path = name.partition("@")
    return function + at + PurePath(path).name if at else name


def _end_of(name: str, room: int) -> str:
    """The name, or as much of its end as there is room for: dotted names differ in their last parts."""
    return name if len(name) <= room else "…" + name[len(name) - room + 1 :]


def _without(head: list[str], body: list[list[Part]], column: str) -> tuple[list[str], list[list[Part]]]:
    at = head.index(column)
    return head[:at] + head[at + 1 :], [cells[:at] + cells[at + 1 :] for cells in body]
