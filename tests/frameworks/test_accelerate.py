"""accelerate: a loop of the user's with wrapped model, optimiser, loader and schedule, whose step does nothing while gradients accumulate."""

from __future__ import annotations

from tests.digits import DATA, DETACHED, NETWORK, SOFTMAX, changed
from tests.engine import Engine

LOOP = (
    DATA.replace("from torch.utils.data", "from accelerate import Accelerator\nfrom torch.utils.data")
    + NETWORK
    + """\
accelerator = Accelerator(cpu=True)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
model, optimizer, loader, validation, scheduler = accelerator.prepare(model, optimizer, loader, validation, scheduler)
for epoch in range(4):
    model.train()
    for a, b in loader:
        with accelerator.accumulate(model):
            loss = F.cross_entropy(model(a), b)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        print("told loss", loss.item().hex())
    model.eval()
    for a, b in validation:
        with torch.no_grad():
            guess, truth = accelerator.gather_for_metrics((model(a).argmax(1), b))
        print("told hits", (guess == truth).sum().item())
tell(accelerator.unwrap_model(model))
"""
)
HEALTHY = {
    "prepared": LOOP,
    "accumulated": changed(LOOP, ("cpu=True", "cpu=True, gradient_accumulation_steps=2"), ("range(4)", "range(6)")),
    "mixed precision": changed(LOOP, ("cpu=True", "cpu=True, mixed_precision='bf16'")),
}
RATE = "torch.optim.Adam(model.parameters(), lr=2e-3)"
FAULTS = {
    "lr-too-high": (changed(LOOP, (RATE, "torch.optim.SGD(model.parameters(), lr=20.0, momentum=0.9)"), ("5.0", "1e6")), "torch.optim.SGD"),
    "loss-input": (changed(LOOP, SOFTMAX), "return self.head(h)"),
    "disconnected-parameters": (changed(LOOP, DETACHED), "self.encoder = "),
    "optimizer-parameters": (changed(LOOP, (RATE, "torch.optim.Adam(model.head.parameters(), lr=5e-4)")), "torch.optim.Adam"),
}


class TestAccelerate(Engine):
    """Everything prepared, accumulation over two batches, and bfloat16."""

    LIBRARIES = ("accelerate", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
