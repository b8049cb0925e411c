import copy

import torch
from torch import nn

STUDENTS, TASKS = 150, 100


def mark_book(count):
    """Marks of students in tasks: how able, how hard, two topics on which both differ, and the examiner's mood."""
    able, hard = torch.randn(STUDENTS), torch.randn(TASKS)
    topic_student, topic_task = torch.randn(STUDENTS, 2), torch.randn(TASKS, 2)
    cell = torch.randperm(STUDENTS * TASKS)[:count]
    student, task = cell // TASKS, cell % TASKS
    mark = able[student] - hard[task] + 0.7 * (topic_student[student] * topic_task[task]).sum(1)
    mark = mark / mark.std() + 0.28 * torch.randn(count)
    return student, task, (mark - mark.mean()) / mark.std()


class Marks(nn.Module):
    def __init__(self, factors):
        super().__init__()
        self.student, self.task = nn.Embedding(STUDENTS, factors), nn.Embedding(TASKS, factors)
        self.able, self.hard = nn.Embedding(STUDENTS, 1), nn.Embedding(TASKS, 1)
        for table in (self.student, self.task, self.able, self.hard):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, student, task):
        topics = (self.student(student) * self.task(task)).sum(1)
        return topics + self.able(student).squeeze(1) + self.hard(task).squeeze(1)


torch.manual_seed(2)
student, task, mark = mark_book(7000)
train, val = slice(0, 6000), slice(6000, 7000)
model = Marks(factors=24)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
best, kept, waited = float("inf"), None, 0
for epoch in range(1, 61):
    total = 0.0
    for rows in torch.randperm(6000).split(120):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(student[rows], task[rows]), mark[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    with torch.no_grad():
        val_loss = nn.functional.mse_loss(model(student[val], task[val]), mark[val]).item()
    print(f"epoch {epoch} mse {total / 6000:.4f} val mse {val_loss:.4f}")
    if val_loss < best:
        best, kept, waited = val_loss, copy.deepcopy(model.state_dict()), 0
    else:
        waited += 1
    if waited == 3:
        model.load_state_dict(kept)
        val_loss = best
        break
print(
    f"METRIC train_loss={total / 6000:.4f} val_loss={val_loss:.4f} val_r2={1 - val_loss / mark[val].var().item():.4f}"
)
