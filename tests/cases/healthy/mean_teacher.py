"""Semi-supervised digits: a student follows its labels and an averaged copy of itself."""

import copy

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(44)
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)
perm = torch.randperm(len(x))
labelled, unlabelled, held_out = perm[:150], perm[150:1400], perm[1400:]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU())
        self.logits = nn.Linear(64, 10)

    def forward(self, x):
        return self.logits(self.features(x))


class MeanTeacher(nn.Module):
    def __init__(self, decay=0.97):
        super().__init__()
        self.student = Classifier()
        self.teacher = copy.deepcopy(self.student)
        self.decay = decay

    @torch.no_grad()
    def follow(self):
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters()):
            slow.mul_(self.decay).add_(fast, alpha=1 - self.decay)

    def consistency(self, x):
        with torch.no_grad():
            goal = F.softmax(self.teacher(x + 0.05 * torch.randn_like(x)), 1)
        return F.mse_loss(F.softmax(self.student(x + 0.15 * torch.randn_like(x)), 1), goal)


model = MeanTeacher()
optimizer = torch.optim.Adam(model.student.parameters(), lr=2e-3)
for step in range(1, 401):
    a = labelled[torch.randint(0, len(labelled), (32,))]
    b = unlabelled[torch.randint(0, len(unlabelled), (64,))]
    supervised = F.cross_entropy(model.student(x[a]), y[a])
    loss = supervised + 5.0 * min(1.0, step / 200) * model.consistency(x[b])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.follow()
    if step % 80 == 0:
        with torch.no_grad():
            acc = (model.teacher(x[held_out]).argmax(1) == y[held_out]).float().mean().item()
        print(f"step {step} loss {loss.item():.4f} teacher acc {acc:.4f}")
print(f"METRIC train_loss={loss.item():.4f} val_acc={acc:.4f}")
