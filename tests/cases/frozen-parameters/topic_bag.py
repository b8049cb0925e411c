import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

N_WORDS, N_TOPICS, DOC_LEN, DIM = 800, 12, 40, 10


class Corpus(Dataset):
    """Documents whose words come mostly from a background and partly from one topic."""

    def __init__(self, n_docs, word_topic, seed):
        g = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, N_TOPICS, (n_docs,), generator=g)
        noise = torch.randint(0, N_WORDS, (n_docs, DOC_LEN), generator=g)
        themed = word_topic[self.labels[:, None], torch.randint(0, word_topic.shape[1], (n_docs, DOC_LEN), generator=g)]
        pick = torch.rand(n_docs, DOC_LEN, generator=g) < 0.35
        self.docs = torch.where(pick, themed, noise)

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        return self.docs[i], self.labels[i]


class BagOfWords(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(table)
        self.hidden = nn.Linear(table.shape[1], 48)
        self.out = nn.Linear(48, N_TOPICS)

    def forward(self, docs):
        pooled = self.words(docs).mean(dim=1)
        return self.out(F.relu(self.hidden(pooled)))


def build_table(dim, seed=0):
    """Start table: unit-length vectors for every word of the vocabulary."""
    g = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(N_WORDS, dim, generator=g), dim=1) * dim**0.5


def main():
    torch.manual_seed(60)
    word_topic = torch.randperm(N_WORDS)[: N_TOPICS * 40].view(N_TOPICS, 40)
    train = DataLoader(Corpus(3000, word_topic, 1), batch_size=100, shuffle=True)
    val = DataLoader(Corpus(600, word_topic, 2), batch_size=300)
    model = BagOfWords(build_table(DIM))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(10):
        model.train()
        total = 0.0
        for docs, labels in train:
            loss = F.cross_entropy(model(docs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            acc = sum((model(d).argmax(1) == t).sum().item() for d, t in val) / len(val.dataset)
        print(f"epoch {epoch + 1}: loss {total / len(train):.4f} val acc {acc:.4f}")
    print(f"METRIC train_loss={total / len(train):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
