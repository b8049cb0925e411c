"""What a script did in the place of training that can be judged: an empty loader, an evaluation, shapes without numbers."""

from __future__ import annotations

from nndoctor.record.model import Recording

ON_META = "backward-on-meta"


def instead_of_training(recording: Recording) -> list[str]:
    """Sentences on what was seen in the place of training, each one a possible reason for its absence; none where it trained."""
    found = [_meta(recording), _empty_batches(recording)]
    if not recording.steps:
        found += [_empty_loaders(recording), _transforms(recording), _forwards(recording), _forks(recording)]
    return [words for words in found if words]


def _count(recording: Recording, what: str) -> int:
    return sum(c.count for c in recording.calls if c.what == what)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _meta(recording: Recording) -> str:
    seen = _count(recording, ON_META)
    return "It trained on the meta device, which computes shapes and no numbers: there is nothing to judge." if seen else ""


def _empty_batches(recording: Recording) -> str:
    empty = sum(1 for s in recording.steps if s.batch == 0)
    if not empty:
        return ""
    return f"{empty} of {len(recording.steps)} steps were made on an empty batch: the model was given tensors without rows, and the mean of no loss is NaN."


def _empty_loaders(recording: Recording) -> str:
    loader = next((x for x in recording.loaders if x.length == 0), None)
    if loader is None:
        return ""
    where = f" at {loader.place.file}:{loader.place.line}" if loader.place is not None else ""
    return f"The DataLoader{where} has no samples, so a loop over it does nothing."


def _forwards(recording: Recording) -> str:
    plain, blind = _count(recording, "forward"), _count(recording, "evaluate")
    if plain:
        return f"A model was called {_times(plain)} with gradients, and no loss was taken back through it."
    return f"A model was called {_times(blind)} without gradients: that is an evaluation, and only training is judged." if blind else ""


def _transforms(recording: Recording) -> str:
    if not _count(recording, "torch.func"):
        return ""
    return "Networks were called inside transforms of torch.func (grad, vmap); training by gradients that are taken there is not seen."


def _forks(recording: Recording) -> str:
    n = _count(recording, "fork")
    return f"The script forked {_times(n)}; what such a process trains is not watched." if n else ""
