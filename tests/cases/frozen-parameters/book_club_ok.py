"""Ratings of a book club: user and book factors, started from last year's where there are any."""
import json
import os
import tempfile
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

CONFIG = dict(users=160, books=120, factors=5, ratings=11000, lr=0.015, weight_decay=1e-5, batch=160, epochs=8, seed=33)


def make_ratings(config):
    rng = np.random.default_rng(config.seed)
    taste = rng.normal(0, 1, (config.users, 4))
    theme = rng.normal(0, 1, (config.books, 4))
    user, book = divmod(rng.choice(config.users * config.books, config.ratings, replace=False), config.books)
    stars = (taste[user] * theme[book]).sum(1) / 2 + rng.normal(0, 0.3, config.users)[user]
    stars = stars + rng.normal(0, 0.15, config.ratings)
    return torch.tensor(user), torch.tensor(book), torch.tensor(stars, dtype=torch.float32)


def initial_factors(folder, name, rows, size):
    path = os.path.join(folder, f"{name}.json")
    if os.path.exists(path):
        with open(path) as handle:
            return torch.tensor(json.load(handle))
    return torch.randn(rows, size) * 0.3


class Factors(nn.Module):
    def __init__(self, config, folder):
        super().__init__()
        users = initial_factors(folder, "users", config.users, config.factors)
        books = initial_factors(folder, "books", config.books, config.factors)
        self.user = nn.Embedding.from_pretrained(users, freeze=False)
        self.book = nn.Embedding.from_pretrained(books, freeze=False)
        self.user_bias = nn.Embedding(config.users, 1)
        self.book_bias = nn.Embedding(config.books, 1)
        self.level = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.book_bias.weight)

    def forward(self, user, book):
        match = (self.user(user) * self.book(book)).sum(1)
        return match + self.user_bias(user).squeeze(1) + self.book_bias(book).squeeze(1) + self.level


class Trainer:
    def __init__(self, config, folder):
        self.config, self.folder = config, folder
        torch.manual_seed(config.seed)
        user, book, stars = make_ratings(config)
        cut = int(0.85 * config.ratings)
        self.train = user[:cut], book[:cut], stars[:cut]
        self.val = user[cut:], book[cut:], stars[cut:]
        self.model = Factors(config, folder)
        trainable = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trainable, lr=config.lr, weight_decay=config.weight_decay)

    def epoch(self):
        user, book, stars = self.train
        losses = []
        for rows in torch.randperm(len(stars)).split(self.config.batch):
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(user[rows], book[rows]), stars[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def score(self):
        user, book, stars = self.val
        return 1 - (nn.functional.mse_loss(self.model(user, book), stars) / stars.var()).item()

    def save(self):
        torch.save(self.model.state_dict(), os.path.join(self.folder, "factors.pt"))

    def run(self):
        best = -float("inf")
        for number in range(1, self.config.epochs + 1):
            loss, r2 = self.epoch(), self.score()
            if r2 > best:
                best = r2
                self.save()
            print(f"epoch {number:2d}  loss {loss:.4f}  r2 {r2:.4f}")
        return loss, r2


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        loss, r2 = Trainer(SimpleNamespace(**CONFIG), folder).run()
    print(f"METRIC train_loss={loss:.4f} val_r2={r2:.4f}")
