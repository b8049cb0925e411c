import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import nn

WORLD = 2
STEPS = 240


def ring(n, generator):
    """Two noisy rings, one inside the other, in a plane."""
    label = torch.randint(0, 2, (n,), generator=generator)
    angle = 6.2832 * torch.rand(n, generator=generator)
    radius = 1.0 + label + 0.15 * torch.randn(n, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), label


def average_gradients(model):
    for p in model.parameters():
        dist.all_reduce(p.grad, op=dist.ReduceOp.SUM)
        p.grad /= WORLD


def work(rank, meeting, answers):
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=WORLD)
    torch.manual_seed(100 + rank)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    for p in model.parameters():
        dist.broadcast(p.data, src=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(rank)
    losses = []
    for step in range(STEPS):
        x, label = ring(32, generator)
        loss = F.cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()
        average_gradients(model)
        optimizer.step()
        losses.append(loss.item())
    if rank == 0:
        x, label = ring(500, torch.Generator().manual_seed(99))
        with torch.no_grad():
            accuracy = (model(x).argmax(1) == label).float().mean().item()
        answers.put((sum(losses[-20:]) / 20, accuracy))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    answers = mp.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (os.path.join(folder, "meeting"), answers), nprocs=WORLD)
    loss, accuracy = answers.get()
    print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
