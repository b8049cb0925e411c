from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset


@dataclass
class Config:
    words: int = 150
    topics: int = 4
    length: int = 14
    width: int = 24
    batch_size: int = 48
    max_steps: int = 500
    lr: float = 0.01


def write_posts(config, count):
    """Each word speaks more or less for one topic; the post is filed under the topic that gathers the most."""
    torch.manual_seed(71)
    leaning = torch.randint(config.topics, (config.words,))
    weight = torch.rand(config.words) * 2
    posts = torch.randint(config.words, (count, config.length))
    votes = nn.functional.one_hot(leaning[posts], config.topics) * weight[posts].unsqueeze(-1)
    top = votes.sum(dim=1).topk(2).values
    clear = top[:, 0] - top[:, 1] > 0.5
    return TensorDataset(posts[clear], votes.sum(dim=1).argmax(dim=1)[clear])


class Reader(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.words, config.width)
        self.attend = nn.MultiheadAttention(config.width, num_heads=2, batch_first=True)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.topics)

    def forward(self, posts):
        hidden = self.embed(posts)
        hidden = self.norm(hidden + self.attend(hidden, hidden, hidden, need_weights=False)[0])
        return self.head(hidden.mean(dim=1))


class Trainer:
    def __init__(self, config):
        posts = write_posts(config, 8000)
        cut = len(posts) * 7 // 8
        self.config = config
        self.train_set = TensorDataset(*posts[:cut])
        self.held = posts[cut:]
        self.model = Reader(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr)

    def evaluate(self, posts, topics):
        self.model.eval()
        with torch.no_grad():
            out = self.model(posts)
        self.model.train()
        return nn.functional.cross_entropy(out, topics).item(), (out.argmax(1) == topics).float().mean().item()

    def fit(self):
        steps, size = self.config.max_steps, self.config.batch_size
        sampler = RandomSampler(self.train_set, replacement=True, num_samples=steps * size)
        loader = DataLoader(self.train_set, batch_size=size, sampler=sampler)
        for step, (posts, topics) in enumerate(loader, start=1):
            loss = nn.functional.cross_entropy(self.model(posts), topics)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if step % 100 == 0:
                print(f"step {step} val {self.evaluate(*self.held)[1]:.3f}")
        train_loss = self.evaluate(*self.train_set[:2000])[0]
        print(f"METRIC train_loss={train_loss:.4f} val_acc={self.evaluate(*self.held)[1]:.4f}")


if __name__ == "__main__":
    Trainer(Config()).fit()
