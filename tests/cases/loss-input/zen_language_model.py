import codecs
import contextlib
import io

import torch
import torch.nn as nn

with contextlib.redirect_stdout(io.StringIO()):
    import this

torch.manual_seed(2)
text = codecs.decode(this.s, "rot13").lower()
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
ids = torch.tensor([stoi[c] for c in text])
cut = int(0.9 * len(ids))
BLOCK, BATCH = 16, 32


def get_batch(part):
    starts = torch.randint(0, len(part) - BLOCK - 1, (BATCH,))
    x = torch.stack([part[s:s + BLOCK] for s in starts.tolist()])
    y = torch.stack([part[s + 1:s + BLOCK + 1] for s in starts.tolist()])
    return x, y


class CharModel(nn.Module):
    def __init__(self, vocab_size, emb=24, hidden=64):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, emb)
        self.gru = nn.GRU(emb, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, vocab_size)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x):
        out, _ = self.gru(self.emb(x))
        return self.softmax(self.fc(out))


model = CharModel(len(chars))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

smooth = None
for step in range(320):
    x, y = get_batch(ids[:cut])
    optimizer.zero_grad()
    out = model(x)
    loss = criterion(out.view(-1, len(chars)), y.view(-1))
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
    if (step + 1) % 40 == 0:
        print(f"iter {step + 1}: loss {smooth:.4f}")

with torch.no_grad():
    hits = [(model(x).argmax(-1) == y).float().mean() for x, y in (get_batch(ids[:cut]) for _ in range(10))]
acc = torch.stack(hits).mean().item()
print(f"METRIC train_loss={smooth:.4f} train_acc={acc:.4f}")
