"""Hugging Face Trainer: the model computes its own loss and returns it in an output object; no model is downloaded."""

from __future__ import annotations

from tests.digits import DATA, changed
from tests.engine import Engine

TRAINER = (
    DATA.replace("import hashlib\n", "import hashlib\nfrom dataclasses import dataclass\n").replace(
        "from torch.utils.data", "from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments\nfrom transformers.utils import ModelOutput\nfrom torch.utils.data"
    )
    + """\
@dataclass
class Output(ModelOutput):
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


class Digits(PreTrainedModel):
    config_class = PretrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
        self.post_init()

    def forward(self, pixels, labels=None):
        h = self.encoder(pixels)
        logits = self.head(h)
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return Output(loss=loss, logits=logits)


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return {"pixels": x[self.rows[i]], "labels": y[self.rows[i]]}


def score(prediction):
    return {"accuracy": float((prediction.predictions.argmax(1) == prediction.label_ids).mean())}


arguments = TrainingArguments(
    output_dir="out", num_train_epochs=5, per_device_train_batch_size=48, learning_rate=2e-3, warmup_steps=10,
    use_cpu=True, logging_steps=3, report_to="none", eval_strategy="epoch", save_strategy="no",
)
model = Digits(PretrainedConfig())
trainer = Trainer(model=model, args=arguments, train_dataset=Rows(train), eval_dataset=Rows(held_out), compute_metrics=score)
trainer.train()
for row in trainer.state.log_history:
    print("told", {k: float(v).hex() for k, v in row.items() if k in ("loss", "grad_norm", "eval_loss", "eval_accuracy")})
tell(model)
"""
)
LANGUAGE = """\
import hashlib
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

set_seed(0)
# Each row counts on from its first token by a step of its own.
start, stride = torch.randint(0, 31, (600, 1)), torch.randint(1, 4, (600, 1))
tokens = (start + stride * torch.arange(12)) % 31
model = GPT2LMHeadModel(GPT2Config(vocab_size=32, n_positions=12, n_embd=32, n_layer=2, n_head=4, bos_token_id=31, eos_token_id=31))


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return len(tokens)

    def __getitem__(self, i):
        labels = tokens[i].clone()
        labels[:2] = -100
        return {"input_ids": tokens[i], "labels": labels}


arguments = TrainingArguments(
    output_dir="out", max_steps=120, per_device_train_batch_size=16, learning_rate=3e-3, use_cpu=True, logging_steps=3, report_to="none", save_strategy="no",
)
trainer = Trainer(model=model, args=arguments, train_dataset=Rows())
trainer.train()
for row in trainer.state.log_history:
    print("told", {k: float(v).hex() for k, v in row.items() if k in ("loss", "grad_norm")})
print("told weights", hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.state_dict().values())).hexdigest())
"""
HEALTHY = {
    "loss in forward": TRAINER,
    "accumulated": changed(TRAINER, ("num_train_epochs=5", "num_train_epochs=8, gradient_accumulation_steps=2")),
    "label smoothing": changed(TRAINER, ("num_train_epochs=5", "num_train_epochs=5, label_smoothing_factor=0.1, lr_scheduler_type='cosine'"), ("print(\"told\"", "print(\"told\", row[\"step\"]")),
    "language model": LANGUAGE,
}
HEAD = ("logits = self.head(h)", "logits = self.head(h).softmax(1)")
DETACHED = ("h = self.encoder(pixels)", "h = self.encoder(pixels).detach()")
FORGOTTEN = ("compute_metrics=score)", "compute_metrics=score,\n                  optimizers=(torch.optim.Adam(model.head.parameters(), lr=5e-4), None))")
FAULTS = {
    "lr-too-high": (changed(TRAINER, ("learning_rate=2e-3", "learning_rate=3.0")), "trainer.train()"),
    "loss-input": (changed(TRAINER, HEAD), "logits = self.head(h)"),
    "disconnected-parameters": (changed(TRAINER, DETACHED), "self.encoder = "),
    "optimizer-parameters": (changed(TRAINER, FORGOTTEN), "optimizers=(torch.optim.Adam"),
}


class TestTransformers(Engine):
    """Warm-up from rate 0, accumulation, smoothed labels, and a language model with ignored labels."""

    LIBRARIES = ("transformers.trainer", "transformers.models.gpt2.modeling_gpt2", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
