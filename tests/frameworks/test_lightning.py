"""PyTorch Lightning: the Trainer drives the loop, and backward runs in a closure that it hands to `step`."""

from __future__ import annotations

from tests.digits import DATA, DETACHED, NETWORK, SOFTMAX, changed
from tests.engine import Engine

AUTOMATIC = (
    DATA.replace("import hashlib\n", "import hashlib\nimport lightning as L\n")
    + NETWORK.replace("nn.Module", "L.LightningModule").rstrip("\n")
    + """

    def training_step(self, batch, index):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        print("told loss", loss.item().hex())
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=150)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


net = Net()
trainer = L.Trainer(max_epochs=5, accelerator="cpu", log_every_n_steps=10, logger=True, enable_progress_bar=True)
trainer.fit(net, loader, validation)
tell(net)
"""
)
QUIET = ("logger=True, enable_progress_bar=True", "logger=False, enable_checkpointing=False, enable_progress_bar=False")
MANUAL = [
    ("        super().__init__()\n", "        super().__init__()\n        self.automatic_optimization = False\n"),
    (
        "        return loss\n",
        "        optimizer = self.optimizers()\n        optimizer.zero_grad()\n        self.manual_backward(loss)\n        optimizer.step()\n        self.lr_schedulers().step()\n",
    ),
]
RATE = "torch.optim.Adam(self.parameters(), lr=2e-3)\n        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=150)"
CONSTANT = "torch.optim.{}\n        scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)"
HEALTHY = {
    "automatic": AUTOMATIC,
    "manual": changed(AUTOMATIC, *MANUAL, QUIET),
    "overfit batches": changed(AUTOMATIC, ("max_epochs=5", "max_epochs=30, overfit_batches=4"), QUIET),
    "accumulated": changed(AUTOMATIC, ("max_epochs=5", "max_epochs=10, accumulate_grad_batches=2, gradient_clip_val=1.0"), QUIET),
    "closure called often": changed(AUTOMATIC, (RATE, CONSTANT.format("LBFGS(self.parameters(), lr=0.5, max_iter=5)")), ("batch_size=48", "batch_size=1440"), ("max_epochs=5", "max_epochs=15"), ("nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.1)", "nn.ReLU()"), QUIET),
}
STILL = ("        loss = F.cross_entropy(self(x), y)\n        self.log(\"train_loss\"", "        self.eval()\n        loss = F.cross_entropy(self(x), y)\n        self.log(\"train_loss\"")
FAULTS = {
    "lr-too-high": (changed(AUTOMATIC, (RATE, CONSTANT.format("SGD(self.parameters(), lr=20.0, momentum=0.9)")), QUIET), "torch.optim.SGD"),
    "loss-input": (changed(AUTOMATIC, SOFTMAX, QUIET), "return self.head(h)"),
    "disconnected-parameters": (changed(AUTOMATIC, DETACHED, QUIET), "self.encoder = "),
    "optimizer-parameters": (changed(AUTOMATIC, (RATE, CONSTANT.format("Adam(self.head.parameters(), lr=5e-4)")), QUIET), "torch.optim.Adam"),
    "eval-mode-training": (changed(AUTOMATIC, STILL, QUIET), "self.eval()"),
}


class TestLightning(Engine):
    """Automatic and manual optimisation, few batches again and again, accumulation, and an optimiser that calls its closure often."""

    LIBRARIES = ("lightning", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
