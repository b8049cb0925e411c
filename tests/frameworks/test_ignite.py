"""ignite: an engine calls the update, and evaluators run from its events."""

from __future__ import annotations

from tests.digits import DATA, DETACHED, NETWORK, SOFTMAX, changed
from tests.engine import Engine

ENGINE = (
    DATA.replace(
        "from sklearn", "from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer\nfrom ignite.metrics import Accuracy, Loss\nfrom sklearn"
    )
    + NETWORK
    + """\
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(model, metrics={"accuracy": Accuracy(), "loss": Loss(criterion)})


@trainer.on(Events.ITERATION_COMPLETED)
def note(engine):
    print("told loss", engine.state.output.hex())


@trainer.on(Events.EPOCH_COMPLETED)
def validate(engine):
    evaluator.run(validation)
    print("told metrics", evaluator.state.metrics)


trainer.run(loader, max_epochs=4)
tell(model)
"""
)
HEALTHY = {
    "supervised": ENGINE,
    "accumulated": changed(ENGINE, ("optimizer, criterion)", "optimizer, criterion, gradient_accumulation_steps=2)"), ("max_epochs=4", "max_epochs=6")),
}
RATE = "torch.optim.Adam(model.parameters(), lr=2e-3)"
FAULTS = {
    "lr-too-high": (changed(ENGINE, (RATE, "torch.optim.SGD(model.parameters(), lr=20.0, momentum=0.9)")), "torch.optim.SGD"),
    "loss-input": (changed(ENGINE, SOFTMAX), "return self.head(h)"),
    "disconnected-parameters": (changed(ENGINE, DETACHED), "self.encoder = "),
    "optimizer-parameters": (changed(ENGINE, (RATE, "torch.optim.Adam(model.head.parameters(), lr=5e-4)")), "torch.optim.Adam"),
}


class TestIgnite(Engine):
    """The engine's own update, with an evaluator after each epoch, and with gradients of two batches added up."""

    LIBRARIES = ("ignite.engine", "ignite.metrics", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
