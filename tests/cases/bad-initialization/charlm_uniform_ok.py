import codecs
import contextlib
import io

import torch
from torch import nn

torch.manual_seed(77)

with contextlib.redirect_stdout(io.StringIO()):
    import this

text = codecs.decode(this.s, "rot13").lower()
vocab = sorted(set(text))
stoi = {c: i for i, c in enumerate(vocab)}
data = torch.tensor([stoi[c] for c in text])

WINDOW = 16


class CharModel(nn.Module):
    """Reads a window of characters and predicts the next one at every position."""

    def __init__(self, n_vocab, dim=12, hidden=96):
        super().__init__()
        self.embed = nn.Embedding(n_vocab, dim)
        self.mix = nn.LSTM(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, n_vocab)

    def forward(self, ids):
        states, _ = self.mix(self.embed(ids))
        return self.out(states)


net = CharModel(len(vocab))
for p in net.parameters():
    nn.init.uniform_(p, -0.1, 0.1)

starts = torch.arange(0, len(data) - WINDOW - 1)
opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()
history = []
for step in range(300):
    s = starts[torch.randint(len(starts), (32,))]
    window = data[s[:, None] + torch.arange(WINDOW + 1)]
    logits = net(window[:, :-1])
    loss = loss_fn(logits.reshape(-1, len(vocab)), window[:, 1:].reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    history.append(loss.item())
    if (step + 1) % 60 == 0:
        recent = sum(history[-30:]) / 30
        print(f"step {step + 1} loss {recent:.3f} bits/char {recent / 0.6931:.2f}")

net.eval()
with torch.no_grad():
    logits = net(data[None, :-1])[0]
    acc = (logits.argmax(-1) == data[1:]).float().mean().item()
print(f"METRIC train_loss={sum(history[-30:]) / 30:.4f} train_acc={acc:.4f}")
