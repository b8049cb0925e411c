"""Short trainings, each with a loop, a loss or a model that is right though unusual. They print every loss, and their weights."""

from __future__ import annotations

from tests.digits import DATA, changed

NET = "model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))\n"
ADAM = "optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)\n"
LOOP = """\
for epoch in range(4):
    for a, b in loader:
        loss = F.cross_entropy(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("told loss", loss.item().hex())
tell(model)
"""
PLAIN = DATA + NET + ADAM + LOOP
STEP = "        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n"
LOSS = "loss = F.cross_entropy(model(a), b)"

# --- the step -----------------------------------------------------------------------------------------------------

LBFGS = DATA + NET + """\
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=6)
for step in range(12):

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[train]), y[train])
        loss.backward()
        return loss

    print("told loss", optimizer.step(closure).item().hex())
tell(model)
"""
BY_HAND = changed(DATA + NET + LOOP, (STEP, "        model.zero_grad()\n        loss.backward()\n        with torch.no_grad():\n            for p in model.parameters():\n                p -= 0.2 * p.grad\n"))
BY_DATA = changed(DATA + NET + LOOP, (STEP, "        model.zero_grad()\n        loss.backward()\n        for p in model.parameters():\n            p.data.add_(p.grad, alpha=-0.2)\n"))
NO_MODULE = changed(
    DATA + "weights = [torch.randn(64, 100) / 8, torch.zeros(100), torch.randn(100, 10) / 10, torch.zeros(10)]\nfor w in weights:\n    w.requires_grad_()\n" + LOOP,
    (LOSS, "loss = F.cross_entropy(torch.relu(a @ weights[0] + weights[1]) @ weights[2] + weights[3], b)"),
    (STEP, "        loss.backward()\n        with torch.no_grad():\n            for w in weights:\n                w -= 0.2 * w.grad\n                w.grad = None\n"),
    ("\ntell(model)", '\nprint("told sum", sum(w.sum() for w in weights).item().hex())'),
)  # fmt: skip
AUTOGRAD = changed(
    DATA + NET + "parameters = list(model.parameters())\n" + LOOP,
    (STEP, "        gradients = torch.autograd.grad(loss, parameters)\n        with torch.no_grad():\n            for p, g in zip(parameters, gradients):\n                p.sub_(0.2 * g)\n"),
)  # fmt: skip
FUNCTIONAL = changed(
    DATA + NET + "parameters = {k: v.detach() for k, v in model.named_parameters()}\n\n\ndef objective(parameters, a, b):\n"
    "    return F.cross_entropy(torch.func.functional_call(model, parameters, (a,)), b)\n\n\n" + LOOP,
    (LOSS, "gradients, loss = torch.func.grad_and_value(objective)(parameters, a, b)"),
    (STEP, "        parameters = {k: p - 0.2 * gradients[k] for k, p in parameters.items()}\n"),
    ("\ntell(model)", '\nprint("told sum", sum(p.sum() for p in parameters.values()).item().hex())'),
)  # fmt: skip
TWO_BACKWARDS = changed(
    DATA + "body, digit, parity = nn.Linear(64, 96), nn.Linear(96, 10), nn.Linear(96, 1)\nmodel = nn.ModuleList([body, digit, parity])\n" + ADAM + LOOP,
    (LOSS, "h = torch.relu(body(a))\n        loss, other = F.cross_entropy(digit(h), b), F.binary_cross_entropy_with_logits(parity(h).squeeze(1), (b % 2).float())"),
    ("loss.backward()", "loss.backward(retain_graph=True)\n        (0.5 * other).backward()"),
)  # fmt: skip
OWN_OPTIMIZER = changed(PLAIN, (ADAM, """\
class Sign(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p)).mul_(0.9).add_(p.grad, alpha=0.1)
                p.add_(m.sign(), alpha=-group["lr"])


optimizer = Sign(model.parameters(), 1e-3)
"""))  # fmt: skip
SCALER = changed(PLAIN, (STEP, "        optimizer.zero_grad()\n        scaler.scale(loss).backward()\n        scaler.unscale_(optimizer)\n        scaler.step(optimizer)\n        scaler.update()\n"), (ADAM, ADAM + "scaler = torch.amp.GradScaler('cpu', enabled=False)\n"))

# --- the model ----------------------------------------------------------------------------------------------------

CHECKPOINTED = changed(PLAIN, (NET, """\
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.body, self.out = nn.Linear(64, 64), nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 64), nn.ReLU()), nn.Linear(64, 10)

    def forward(self, x):
        return self.out(checkpoint(self.body, torch.relu(self.first(x)), use_reentrant=True))


model = Net()
"""))  # fmt: skip
FIELDS = changed(PLAIN, (NET, """\
from dataclasses import dataclass


@dataclass
class Output:
    logits: torch.Tensor
    loss: torch.Tensor
    hidden: tuple


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 128), nn.Linear(128, 10)

    def forward(self, batch):
        h = torch.relu(self.first(batch["image"]))
        return Output(self.second(h), F.cross_entropy(self.second(h), batch["label"]), (h,))


model = nn.DataParallel(Net())
"""), (LOSS, 'loss = model({"image": a, "label": b}).loss'))  # fmt: skip

# --- the loss -----------------------------------------------------------------------------------------------------

CONTRASTIVE = changed(
    DATA + NET + ADAM + "\n\ndef view(a):\n    return a * (torch.rand_like(a) > 0.2) + 0.05 * torch.randn_like(a)\n\n\n" + LOOP,
    (LOSS, "p, q = F.normalize(model(view(a)), dim=1), F.normalize(model(view(a)), dim=1)\n        loss = F.cross_entropy(p @ q.T / 0.1, torch.arange(len(a)))"),
)  # fmt: skip
SUMMED = changed(
    PLAIN, (LOSS, 'loss = 500 * F.cross_entropy(model(a), b, reduction="sum")')
)  # fmt: skip
ACTOR_CRITIC = """\
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
body, actor, critic = nn.Sequential(nn.Linear(8, 64), nn.ReLU()), nn.Linear(64, 4), nn.Linear(64, 1)
optimizer = torch.optim.Adam([*body.parameters(), *actor.parameters(), *critic.parameters()], lr=3e-3)
truth = torch.randn(8, 4)
for episode in range(150):
    states = torch.randn(32, 8)
    h = body(states)
    policy, value = Categorical(logits=actor(h)), critic(h).squeeze(1)
    action = policy.sample()
    reward = ((states @ truth).argmax(1) == action).float() * (1 + 0.05 * episode)
    loss = -(policy.log_prob(action) * (reward - value.detach())).mean() + 0.5 * (value - reward).pow(2).mean() - 0.01 * policy.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("told loss", loss.item().hex(), reward.mean().item())
"""
TAGGING = """\
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
tokens = torch.randint(1, 32, (600, 12))
tokens[torch.arange(12) >= torch.randint(6, 13, (600, 1))] = 0
labels = torch.where(tokens > 0, (tokens + tokens.roll(1, 1)) % 3, -1)
embed, rnn, out = nn.Embedding(32, 32, padding_idx=0), nn.GRU(32, 48, batch_first=True), nn.Linear(48, 3)
optimizer = torch.optim.AdamW([*embed.parameters(), *rnn.parameters(), *out.parameters()], lr=5e-3)
for step in range(150):
    rows = torch.randint(0, 600, (32,))
    loss = F.cross_entropy(out(rnn(embed(tokens[rows]))[0]).flatten(0, 1), labels[rows].flatten(), ignore_index=-1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("told loss", loss.item().hex())
"""
CTC = """\
import torch
from torch import nn

torch.manual_seed(0)
rnn, out = nn.GRU(8, 32, batch_first=True), nn.Linear(32, 5)
optimizer = torch.optim.Adam([*rnn.parameters(), *out.parameters()], lr=0.01)
codes = torch.randn(5, 8) * 1.5
for step in range(100):
    words = torch.randint(1, 5, (24, 3))
    x = torch.zeros(24, 9, 8)
    x[:, 1::3] = codes[words]
    scores = out(rnn(x + 0.3 * torch.randn_like(x))[0]).log_softmax(2)
    loss = nn.functional.ctc_loss(scores.transpose(0, 1), words, torch.full((24,), 9), torch.full((24,), 3))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("told loss", loss.item().hex())
"""
GRAPH = """\
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
y = torch.randint(0, 4, (400,))
features = F.one_hot(y * 10 + torch.randint(0, 10, (400,)), 40).float() + (torch.rand(400, 40) < 0.1)
near = torch.rand(400, 400) < torch.where(y.unsqueeze(0) == y.unsqueeze(1), 0.05, 0.005)
near = (near | near.T | torch.eye(400, dtype=torch.bool)).float()
near = near / near.sum(1, keepdim=True)
train, held_out = torch.arange(400) < 80, torch.arange(400) >= 200


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(40, 16), nn.Linear(16, 4)

    def forward(self, x):
        x = F.dropout(F.relu(near @ self.first(x)), 0.5, self.training)
        return F.log_softmax(near @ self.second(x), dim=1)


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(150):
    model.train()
    loss = F.nll_loss(model(features)[train], y[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        hits = (model(features)[held_out].argmax(1) == y[held_out]).float().mean().item()
    print("told loss", loss.item().hex(), hits)
"""

PENALTY = """\
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
first = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
second = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
for step in range(30):
    for _ in range(3):
        angle = torch.rand(64) * 6.2832
        real, made = torch.stack([angle.cos(), angle.sin()], 1) * 2, generator(torch.randn(64, 4)).detach()
        between = (real + torch.rand(64, 1) * (made - real)).requires_grad_()
        slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
        loss = critic(made).mean() - critic(real).mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
        second.zero_grad()
        loss.backward()
        second.step()
        print("told loss", loss.item().hex())
    first.zero_grad()
    (-critic(generator(torch.randn(64, 4))).mean()).backward()
    first.step()
"""
EQUATION = """\
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
t = torch.linspace(0, 3, 64).unsqueeze(1).requires_grad_()
for step in range(200):
    u = net(t)
    slope = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    loss = (slope + u).square().mean() + (net(torch.zeros(1, 1)) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("told loss", loss.item().hex())
"""

# --- the data, and the script -------------------------------------------------------------------------------------

STREAM = changed(PLAIN, (ADAM, ADAM + """\


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rows = torch.Generator().manual_seed(worker.id)
        for _ in range(600):
            i = train[torch.randint(0, 1440, (), generator=rows)]
            yield x[i], y[i]


loader = DataLoader(Stream(), batch_size=32, num_workers=2)
"""))  # fmt: skip
NOTEBOOK = "# %%\ntry:\n    get_ipython().run_line_magic('matplotlib', 'inline')\nexcept NameError:\n    pass\n" + PLAIN.replace("model =", "# %% [markdown]\n# The network\n# %%\nmodel =")
SEVERAL = DATA + """\
def fit(lr, last):
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10), last)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(2):
        for a, b in loader:
            loss = F.cross_entropy(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print("told loss", loss.item().hex())


fit(1e-7, nn.Identity())
fit(0.05, nn.Softmax(1))
fit(0.05, nn.Identity())
"""
HEALTHY = {
    "a closure called often": LBFGS, "updates by hand": BY_HAND, "updates of .data": BY_DATA, "no module and no optimiser": NO_MODULE,
    "gradients by value": AUTOGRAD, "torch.func": FUNCTIONAL, "two backward calls a step": TWO_BACKWARDS, "an optimiser of one's own": OWN_OPTIMIZER,
    "a scaler that is off": SCALER, "checkpointed activations": CHECKPOINTED, "an output with fields": FIELDS, "contrastive": CONTRASTIVE,
    "a summed loss": SUMMED, "actor and critic": ACTOR_CRITIC, "ignored labels": TAGGING, "CTC": CTC, "a graph with masks": GRAPH, "a penalty on gradients": PENALTY, "a differential equation": EQUATION,
    "an endless stream of two workers": STREAM, "a notebook": NOTEBOOK, "the last of several": SEVERAL,
}  # fmt: skip
FAULTS = {
    "lr-too-low": (changed(BY_DATA, ("alpha=-0.2", "alpha=-1e-8")), "loss.backward()"),
    "loss-input": (changed(BY_HAND, (LOSS, "loss = F.cross_entropy(model(a).softmax(1), b)")), "loss = F.cross_entropy"),
    "lr-too-high": (changed(AUTOGRAD, ("0.2 * g", "50.0 * g")), "gradients = torch.autograd.grad"),
}
