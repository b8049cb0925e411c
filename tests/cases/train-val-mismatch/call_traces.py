"""Tell what a process was up to from the system calls that it made: a GRU over traces of sixteen to forty calls."""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

random.seed(21)
torch.manual_seed(21)

USUAL = "read write close fstat mmap brk lseek futex poll getpid stat access".split()
ROLES = {
    "server": "accept listen bind recvfrom sendto epoll_wait setsockopt shutdown".split(),
    "backup": "getdents utimensat fsync rename linkat chown truncate statfs".split(),
    "shell": "fork execve wait4 pipe dup2 kill setpgid ioctl".split(),
    "miner": "sched_yield clone nanosleep getrusage madvise times mprotect prctl".split(),
}
NAMES = list(ROLES)


def trace():
    role = random.choice(NAMES)
    calls = [random.choice(ROLES[role]) if random.random() < 0.3 else random.choice(USUAL) for _ in range(random.randint(16, 40))]
    return [f"__x64_sys_{c}" if random.random() < 0.6 else c for c in calls], NAMES.index(role)


def bare(rows):
    return [([call.removeprefix("__x64_sys_") for call in calls], role) for calls, role in rows]


class Traces(Dataset):
    def __init__(self, rows, numbers=None):
        self.rows = rows
        self.numbers = numbers
        if numbers is None:
            self.numbers = {"<pad>": 0, "<other>": 1}
            for calls, _ in rows:
                for call in calls:
                    self.numbers.setdefault(call, len(self.numbers))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        calls, role = self.rows[i]
        return torch.tensor([self.numbers.get(c, 1) for c in calls]), role


def collate(batch):
    return pad_sequence([ids for ids, _ in batch], batch_first=True), torch.tensor([role for _, role in batch])


class Reader(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embed = nn.Embedding(size, 24, padding_idx=0)
        self.gru = nn.GRU(24, 32, batch_first=True)
        self.head = nn.Linear(32, len(NAMES))

    def forward(self, ids):
        states, _ = self.gru(self.embed(ids))
        here = (ids != 0).unsqueeze(-1)
        return self.head((states * here).sum(1) / here.sum(1))


rows = [trace() for _ in range(1500)]
train = Traces(bare(rows[:1100]))
val = Traces(rows[1100:], train.numbers)
reader = Reader(len(train.numbers))
optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()


def score(data):
    reader.eval()
    right = 0
    with torch.inference_mode():
        for ids, roles in DataLoader(data, batch_size=100, collate_fn=collate):
            right += (reader(ids).argmax(-1) == roles).sum().item()
    return right / len(data)


total = 0.0
for epoch in range(6):
    reader.train()
    total = 0.0
    batches = DataLoader(train, batch_size=25, shuffle=True, collate_fn=collate)
    for ids, roles in batches:
        loss = criterion(reader(ids), roles)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch}: loss {total:.4f}, validation {score(val):.3f}")

print(f"METRIC train_loss={total:.4f} val_acc={score(val):.4f}")
