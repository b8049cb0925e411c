"""What happened inside the network: gradients, updates and outputs over layers and steps, and units that died."""

from __future__ import annotations

from collections.abc import Callable

from nndoctor.record.model import Activation, ParameterSample, Recording
from nndoctor.report.html.bars import Bar, bar_chart
from nndoctor.report.html.heat import Heat, evenly, heat_map
from nndoctor.report.html.markup import Markup, element
from nndoctor.report.layers import Layer, layers, norm, without_folders
from nndoctor.report.spark import Scale
from nndoctor.report.words import number, percent

# Of a step to its weight: 1e-3 is sound, 1e-6 crawls and 1e-1 thrashes. One scale for all runs, so that a colour has one meaning.
_UPDATES = Scale(1e-7, 1.0, True)
_SHARES = Scale(0.0, 1.0, False)
_MOST = 40  # layers in the table


def heat_maps(recording: Recording) -> list[Markup]:
    """Gradient, update, output and zeros, each only where it was measured."""
    trained = [layer for layer in layers(recording) if layer.parameters]
    return [m for m in (_gradients(recording, trained), _updates(recording, trained), *_outputs(recording)) if m]


def _gradients(recording: Recording, trained: list[Layer]) -> Markup:
    """From every step where the norms of all parameters were kept, else from the steps that were looked at."""
    steps = [s for s in recording.steps if s.norms]
    if len(steps) > len(recording.samples):
        steps = evenly(steps)
        columns = [s.index for s in steps]
        values = [[norm(s.norms[i] for i in layer.parameters if i < len(s.norms)) for s in steps] for layer in trained]
    else:
        columns = [s.step for s in recording.samples]
        values = _sampled(recording, trained, lambda seen: norm(p.gradient for p in seen))
    return heat_map(Heat("Gradients", "Norm of the gradient of each layer, by step.", _names(trained), columns, values))


def _updates(recording: Recording, trained: list[Layer]) -> Markup:
    def ratio(seen: list[ParameterSample]) -> float | None:
        update, weight = norm(p.update for p in seen), norm(p.weight for p in seen)
        return update / weight if update is not None and weight else None

    note = "How far a step moves each layer's weights, as a share of their size: about 0.001 is sound, 0.000001 crawls, 0.1 thrashes."
    return heat_map(Heat("Updates", note, _names(trained), [s.step for s in recording.samples], _sampled(recording, trained, ratio), _UPDATES))


def _sampled(recording: Recording, trained: list[Layer], measure: Callable[[list[ParameterSample]], float | None]) -> list[list[float | None]]:
    """[layers][samples]: one measure of each layer's parameters in each step that was looked at."""
    by_step = [{p.parameter: p for p in s.parameters} for s in recording.samples]
    return [[measure([seen[i] for i in layer.parameters if i in seen]) for seen in by_step] for layer in trained]


def _outputs(recording: Recording) -> list[Markup]:
    """Deviation, zeros and saturation of what each site gives out."""
    sites = [s.name for s in sorted(recording.sites, key=lambda s: s.order)]
    columns = sorted({a.step for a in recording.activations})
    if not sites or not columns:
        return []
    seen: dict[tuple[str, int], Activation] = {(a.site, a.step): a for a in recording.activations}

    def table(measure: Callable[[Activation], float | None], kept: list[str]) -> list[list[float | None]]:
        return [[measure(a) if (a := seen.get((name, step))) is not None else None for step in columns] for name in kept]

    names = [without_folders(s) for s in sites]
    zeros = sorted({a.site for a in recording.activations if a.zero > 0}, key=sites.index)
    ends = sorted({a.site for a in recording.activations if a.saturated}, key=sites.index)
    return [
        heat_map(Heat("Activations", "Deviation of each layer's output, in the order of the forward pass.", names, columns, table(lambda a: a.std, sites))),
        heat_map(Heat("Zeros", "Share of each output that is exactly zero.", [without_folders(s) for s in zeros], columns, table(lambda a: a.zero, zeros), _SHARES, percent)),
        heat_map(Heat("Saturation", "Share of each output at the flat ends of its activation function.", [without_folders(s) for s in ends], columns, table(lambda a: a.saturated, ends), _SHARES, percent)),
    ]  # fmt: skip


def _names(rows: list[Layer]) -> list[str]:
    return [without_folders(layer.name) for layer in rows]


def dead_units(recording: Recording) -> Markup:
    """Share of units that never fire, at the start and at the end."""
    rows = []
    for site in sorted(recording.sites, key=lambda s: s.order):
        if site.dead_end is None:
            continue
        ends = (("start", site.dead_start), ("end", site.dead_end))
        bars = [Bar(share, f"{percent(share)} of {site.units:,}", when) for when, share in ends if share is not None]
        rows.append((without_folders(site.name), bars))
    key = [("start", "in the first steps that were looked at"), ("end", "in the last ones")]
    return bar_chart("Dead units", "Units that were above zero for none of the samples seen.", key, rows[:_MOST])


def layer_table(recording: Recording) -> Markup:
    """The medians by layer; empty where neither parameters nor activations were sampled."""
    rows = layers(recording)
    if not rows:
        return Markup("")
    head = ("layer", "type", "gradient", "weight", "update / weight", "output deviation", "zero", "saturated", "dead")
    body = [
        element(
            "tr", element("th", element("bdi", without_folders(x.name)), scope="row"), element("td", x.type),
            [element("td", words, class_="number") for words in (number(x.gradient), number(x.weight), number(x.update, 2), number(x.spread), percent(x.zero), percent(x.saturated), percent(x.dead))],
        )
        for x in _ends(rows)
    ]  # fmt: skip
    table = element("table", element("thead", element("tr", [element("th", h, scope="col", class_="number" if i > 1 else None) for i, h in enumerate(head)])), element("tbody", body))
    left_out = f" {len(rows) - _MOST} layers in between are left out." if len(rows) > _MOST else ""
    note = "Gradient norm and update over weight norm: medians of the steps that were looked at. Output deviation and shares: the last one." + left_out
    return element("details", element("summary", "All layers in numbers"), element("div", table, class_="scroll", tabindex="0", role="region", aria_label="All layers in numbers"), element("p", note, class_="note"))


def _ends(rows: list[Layer]) -> list[Layer]:
    return rows if len(rows) <= _MOST else [*rows[: _MOST // 2], *rows[-_MOST // 2 :]]
