"""The shapes in which training scripts come: whoever parses, nests, wraps or repeats the training, it is seen, and placed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nndoctor.cli import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS
from tests.probe.conftest import Outcome
from tests.probe.test_hostile import HEAD

IMPORTS, BODY = HEAD.split("torch.manual_seed(0)\n")
BODY = "torch.manual_seed(0)\n" + BODY


def indented(text: str) -> str:
    """The lines, one level in."""
    return "".join("    " + line + "\n" for line in text.splitlines())


MAIN = IMPORTS + "def main(rate, n):\n    global model, optimizer, x, y, step, train\n" + indented(BODY.replace("lr=3e-2", "lr=rate")) + "    print(train(n))\n"
CLICK = "import click\n" + MAIN + "click.command()(click.option('--rate', type=float)(click.option('--n', type=int)(main)))()\n"
ARGPARSE = (
    "import argparse\n" + MAIN + "if __name__ == '__main__':\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--rate', type=float)\n"
    "    parser.add_argument('--n', type=int)\n    main(**vars(parser.parse_args()))\n"
)
# As absl does it: flags are taken from sys.argv, and the main is called by a function that exits.
ABSL = MAIN + "def run(main):\n    flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n    sys.exit(main(float(flags['--rate']), int(flags['--n'])))\nif __name__ == '__main__': run(main)\n"
# As hydra does it: a decorator makes a folder for the run and changes to it.
HYDRA = (
    "import functools, shutil, tempfile\n" + MAIN + "def configured(task):\n    @functools.wraps(task)\n    def run():\n        here, folder = os.getcwd(), tempfile.mkdtemp()\n"
    "        os.chdir(folder)\n        flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n        try: return task(float(flags['--rate']), int(flags['--n']))\n"
    "        finally: os.chdir(here), shutil.rmtree(folder)\n    return run\nconfigured(main)()\n"
)
# As `jupyter nbconvert --to script` writes it.
NOTEBOOK = "#!/usr/bin/env python\n# coding: utf-8\n\n# # Training\n\n# In[1]:\n\n\n" + HEAD.replace("def step", "# In[2]:\n\n\ndef step") + "# In[ ]:\n\n\ntrain()\n\n\n# In[7]:\n\n\nmodel\n"


@pytest.mark.parametrize("script", [CLICK, ARGPARSE, ABSL, HYDRA], ids=["click", "argparse", "absl", "hydra"])
def test_mains_get_their_arguments(script: str, examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """Whoever reads the arguments, the script trains by them as unwatched, and the optimiser is placed in it."""
    arguments = ("--rate", "0.03", "--n", "24")
    outcome = examined(script, arguments=arguments)
    place = outcome.recording.optimizers[0].place

    assert plain(*arguments)[1] == outcome.output
    assert (EXIT_CLEAN, 24) == (outcome.code, len(outcome.recording.steps))
    assert place is not None
    assert "train.py" == Path(place.file).name
    assert "torch.optim.Adam" in Path(place.file).read_text().splitlines()[place.line - 1]


def test_notebook_exported_is_a_script(examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """Cells in comments, and expressions that stand by themselves."""
    outcome = examined(NOTEBOOK)

    assert (EXIT_CLEAN, 60, plain()[1]) == (outcome.code, len(outcome.recording.steps), outcome.output)


def test_package_is_run_as_a_module(examined: Callable[..., Outcome], tmp_path: Path) -> None:
    """Relative imports work; the model, the loss and the loop are placed in the files in which they stand."""
    Path("pkg/parts").mkdir(parents=True)
    for folder in ("pkg", "pkg/parts"):
        Path(folder, "__init__.py").write_text("")
    Path("pkg/parts/net.py").write_text("from torch import nn\n\ndef build():\n    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))\n")
    Path("pkg/engine.py").write_text(
        "import torch\nfrom torch.nn import functional as F\n\ndef fit(model, x, y, n):\n    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)\n"
        "    for _ in range(n):\n        optimizer.zero_grad()\n        F.cross_entropy(model(x), y).backward()\n        optimizer.step()\n"
    )  # fmt: skip
    Path("pkg/train.py").write_text(
        "import torch\nfrom . import engine\nfrom .parts.net import build\n\ntorch.manual_seed(0)\nx = torch.randn(64, 8)\n"
        "engine.fit(build(), x, (x[:, 0] > 0).long(), 24)\nprint(__name__, __package__)\n"
    )  # fmt: skip
    outcome = examined("", name="pkg/train.py", module=True)
    recording = outcome.recording
    places = [recording.models[0].place, recording.losses[0].place, recording.optimizers[0].place]

    assert "__main__ pkg\n" == outcome.output
    assert (EXIT_CLEAN, 24) == (outcome.code, len(recording.steps))
    assert [("pkg/parts/net.py", 4), ("pkg/engine.py", 8), ("pkg/engine.py", 5)] == [(p.file, p.line) for p in places if p is not None]


def test_training_called_from_another_module_is_placed_where_it_stands(examined: Callable[..., Outcome]) -> None:
    """The script only calls; the fault is named in the file that holds it."""
    Path("library.py").write_text(HEAD.replace("    optimizer.zero_grad()\n", "").replace("3e-2", "1e-3"))
    outcome = examined("import library\nif __name__ == '__main__':\n    library.train(120)\n")
    first = outcome.diagnosis.suspects[0]

    assert (EXIT_FOUND, "missing-zero-grad") == (outcome.code, first.cause.id)
    assert first.location is not None
    assert "library.py" == first.location.file


AGAIN = "model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))\noptimizer = torch.optim.Adam(model.parameters(), lr={})\ntrain({})\n"


def test_last_of_several_trainings_is_judged(examined: Callable[..., Outcome]) -> None:
    """A warm-up model that is trained first, and badly, is not the one that is judged; the last one is."""
    sick_first = examined(HEAD + AGAIN.format(80.0, 40) + AGAIN.format(0.03, 60))
    sick_last = examined(HEAD + AGAIN.format(0.03, 40) + AGAIN.format(80.0, 60))

    assert (EXIT_CLEAN, 2, 100) == (sick_first.code, len(sick_first.recording.models), len(sick_first.recording.steps))
    assert (EXIT_FOUND, "lr-too-high") == (sick_last.code, sick_last.diagnosis.suspects[0].cause.id)


def test_evaluation_alone_is_no_training(examined: Callable[..., Outcome]) -> None:
    """A script that loads and scores is told that there was nothing to judge."""
    outcome = examined(HEAD + "model.eval()\nwith torch.no_grad():\n    for _ in range(5): print((model(x).argmax(1) == y).float().mean().item())\n")

    assert EXIT_NO_DIAGNOSIS == outcome.code
    assert "A model was called 5 times without gradients: that is an evaluation, and only training is judged." in " ".join(outcome.report.split())


def test_main_that_is_not_called_is_told(examined: Callable[..., Outcome]) -> None:
    """A script that defines and does nothing has no training."""
    outcome = examined(MAIN)

    assert EXIT_NO_DIAGNOSIS == outcome.code
    assert "no training was seen" in " ".join(outcome.report.split())


def test_optimisers_that_step_within_backward(examined: Callable[..., Outcome]) -> None:
    """One for each tensor, all built on one line, stepped by a hook as soon as its gradient is there: none of the calls was in vain."""
    hooked = HEAD.replace("optimizer.step()", "").replace("optimizer.zero_grad()", "") + (
        "each = {p: torch.optim.Adam([p], lr=3e-2) for p in model.parameters()}\n"
        "def update(p): each[p].step(), each[p].zero_grad()\n"
        "for p in model.parameters(): p.register_post_accumulate_grad_hook(update)\n"
        "train()\n"
    )

    outcome = examined(hooked)

    steps, stepped = outcome.recording.steps, [o for o in outcome.recording.optimizers if o.stepped]
    reached = set(outcome.recording.graphs[0].reached)
    assert EXIT_CLEAN == outcome.code
    assert ({1}, {0}) == ({s.backwards for s in steps}, {s.wasted for s in steps})
    assert sorted(reached) == sorted(i for o in stepped for g in o.groups for i in g.parameters)


def test_optimisers_of_one_line_are_told_apart_by_what_they_hold(examined: Callable[..., Outcome]) -> None:
    """Each model of a list has its own; one that is built anew for the same model is the same."""
    listed = HEAD.replace("def step", "models = [model, torch.nn.Linear(2, 1)]\nothers = [torch.optim.Adam(m.parameters()) for m in models for _ in range(2)]\ndef step", 1)
    listed = listed.replace("optimizer.step()", "optimizer.step(); [o.step() for o in others]") + "train()\n"

    outcome = examined(listed)

    held = [tuple(i for g in o.groups for i in g.parameters) for o in outcome.recording.optimizers]
    assert (3, 2) == (len(held), len(set(held)))
