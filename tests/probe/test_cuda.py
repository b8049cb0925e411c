"""On a CUDA device the watched run is the plain one, with autocast and a scaler too. Skips where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nndoctor.diagnosis.engine import diagnose
from nndoctor.probe.launch import Limits, Target, watch

SCRIPT = """\
import hashlib, torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
torch.backends.cudnn.deterministic = True
x = torch.randn(512, 1, 8, 8, device="cuda")
y = (x.flatten(1)[:, :8].sum(1) > 0).long()
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(288, 2)).cuda()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cuda", enabled={half})
for step in range(120):
    rows = torch.randint(0, 512, (64,), device="cuda")
    with torch.autocast("cuda", dtype=torch.float16, enabled={half}):
        loss = F.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 10 == 0:
        print(loss.item().hex())
print(hashlib.sha256(b"".join(p.detach().cpu().numpy().tobytes() for p in model.parameters())).hexdigest())
print(hashlib.sha256(torch.cuda.get_rng_state().numpy().tobytes()).hexdigest(), torch.rand(1, device="cuda").item().hex())
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("half", [False, True], ids=["float32", "autocast and scaler"])
def test_watched_run_on_a_device_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bool) -> None:
    """Losses, weights and the device's random state; a step that the scaler skips is no fault."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(half=half), encoding="utf-8")
    plain = subprocess.run([sys.executable, "train.py"], capture_output=True, text=True, check=True).stdout
    printed = bytearray()

    recording = watch(Target("train.py"), Limits(), None, printed.extend)

    assert plain.splitlines() == printed.decode().splitlines()
    assert [] == recording.problems
    assert "healthy" == diagnose(recording).verdict
