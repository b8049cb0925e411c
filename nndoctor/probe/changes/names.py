"""How a change is spelt and said, and how large an edit it stands for. Imports no torch: the command line reads it too."""

from __future__ import annotations

from dataclasses import dataclass

from nndoctor.errors import UsageError

# How large an edit of the user's code a change stands for. Where two cures do equally well, the smaller edit names the
# cause: a network that a lower rate mends needs no other activation.
REPAIR = 0  # takes back what a line does by mistake; on a sound script it alters nothing
SETTING = 1  # another number
DATA = 1  # a transformation of the inputs, once
START = 2  # other initial weights, another optimiser
LAYERS = 3  # another activation
STRUCTURE = 4  # layers that were not there


@dataclass(frozen=True)
class Kind:
    """A family of changes: `lr*0.1` and `lr*10` are of one kind."""

    name: str
    form: str  # as `try --list` shows it
    words: str  # of the report; {} stands for the value
    what: str  # one sentence
    size: int
    values: tuple[str, ...] = ()  # the words that may stand after "="; none: a number
    starts: bool = False  # takes hold while the script builds its objects: a run that is forked later is too late
    own_loss: bool = False  # the loss is another one afterwards: it cannot be compared
    control: bool = False  # no cure: it separates families of causes

    @property
    def scales(self) -> bool:
        """Whether the value is a factor."""
        return "*" in self.form


KINDS = (
    Kind("lr", "lr*FACTOR", "learning rate x {}", "Every step is that many times as long.", SETTING),
    Kind("momentum", "momentum=NUMBER", "momentum {}", "Momentum of SGD and RMSprop, the first beta of the Adam family.", SETTING),
    Kind("epsilon", "epsilon=usual", "epsilon at its usual size", "1e-8 in every optimiser whose epsilon is larger.", REPAIR, ("usual",)),
    Kind("optimizer", "optimizer=NAME", "{} at its usual rate", "Another optimiser over the same parameters, with its default settings (SGD: rate 0.1, momentum 0.9).", START, ("adam", "adamw", "sgd", "rmsprop")),
    Kind("weight-decay", "weight-decay=NUMBER", "weight decay {}", "Weight decay of every optimiser.", SETTING),
    Kind("parameters", "parameters=all", "all parameters handed to the optimiser", "What the models hold and no optimiser does is optimised as well.", REPAIR, ("all",)),
    Kind("gradients", "gradients=cleared|averaged", "gradients {}", "Cleared after every step, or divided by the number of backward calls that made them.", REPAIR, ("cleared", "averaged")),
    Kind("step", "step=called", "optimizer.step() called for every backward", "A step that is missing is made, and gradients that were lost on the way are put back.", REPAIR, ("called",)),
    Kind("clip", "clip=NORM|off", "clipping {}", "The gradient's norm is clipped before every step, or never.", SETTING, ("off",)),
    Kind("schedule", "schedule=constant", "rate held constant", "The rate stays what the optimiser was built with.", REPAIR, ("constant",)),
    Kind("maximize", "maximize=off", "maximize off", "The optimiser goes down.", REPAIR, ("off",)),
    Kind("activation", "activation=NAME", "{} as hidden activation", "Every hidden activation, module or function; gates and attention stay. `he-relu` draws the weights anew as ReLU wants them.", LAYERS, ("relu", "he-relu", "leaky_relu", "gelu", "tanh")),
    Kind("output", "output=identity|sigmoid|log-softmax|softmax", "{} as the last operation before the loss", "What is applied last before the loss (softmax, sigmoid, ReLU, ...) is bypassed, and the named function put in its place.", REPAIR, ("identity", "sigmoid", "log-softmax", "softmax"), own_loss=True),
    Kind("init", "init=standard", "weights drawn anew by the standard scheme", "He for layers, orthogonal for recurrent weights, biases 0, where the run does not start in a usual way.", START, ("standard",)),
    Kind("dropout", "dropout=off", "dropout off", "Nothing is dropped.", SETTING, ("off",)),
    Kind("norm", "norm=batch-statistics", "batch norm by the batch's own statistics", "In training and validation alike.", REPAIR, ("batch-statistics",)),
    Kind("mode", "mode=train", "training in training mode", "model.train() holds while gradients are on.", REPAIR, ("train",)),
    Kind("evaluation", "evaluation=eval", "validation in evaluation mode", "model.eval() holds while gradients are off.", REPAIR, ("eval",)),
    Kind("requires-grad", "requires-grad=on", "requires_grad on everywhere", "Frozen parameters learn, and the optimiser holds them.", REPAIR, ("on",)),
    Kind("graph", "graph=connected", "detach, .data and no_grad passed over in the forward", "Gradients flow where the forward cuts them off; what they reach is optimised.", REPAIR, ("connected",)),
    Kind("insert", "insert=norm|residual", "{} inserted between blocks", "Layer normalisation before every hidden activation, or a residual path around every one whose shape allows it.", STRUCTURE, ("norm", "residual")),
    Kind("inputs", "inputs=standardized|imputed|clipped|zero", "inputs {}", "By running statistics of each feature (a channel of an image): to mean 0 and deviation 1; non-finite ones by the mean (targets: left out); to robust deviations from the median, five at most; or all zero, a control.", DATA, ("standardized", "imputed", "clipped", "zero")),
    Kind("loader", "loader=shuffled", "loader shuffled", "Every DataLoader that goes in order is shuffled.", REPAIR, ("shuffled",), starts=True),
    Kind("batch", "batch*FACTOR", "batch size x {}", "Of every DataLoader.", SETTING, starts=True),
    Kind("one-batch", "one-batch=repeated", "one batch, repeated", "A control: every step sees the first batch. A run that cannot memorise it is at fault in structure, loss or step.", SETTING, ("repeated",), control=True),
    Kind("labels", "labels=shuffled", "labels shuffled", "A control: targets are permuted within each batch. If that is no worse, labels or inputs carry no signal.", SETTING, ("shuffled",), control=True),
    Kind("classes", "classes=weighted", "classes weighted by their frequency", "Each class counts the same in the loss.", SETTING, ("weighted",), own_loss=True),
    Kind("target", "target=reshaped", "target reshaped to the prediction", "Where the two differ in shape and not in number.", REPAIR, ("reshaped",), own_loss=True),
    Kind("loss", "loss=NAME", "{} loss", "Cross-entropy in the place of squared error on classes, or back; the stable form of what overflows; the sign changed.", REPAIR, ("cross-entropy", "squared-error", "stable", "negated"), own_loss=True),
    Kind("precision", "precision=float32", "float32 throughout", "Half precision and autocast are passed over.", REPAIR, ("float32",), starts=True),
    Kind("seed", "seed=NUMBER", "seeds shifted by {}", "Every torch.manual_seed adds this: a control for noise.", SETTING, starts=True, control=True),
)  # fmt: skip
_BY_NAME = {k.name: k for k in KINDS}


@dataclass(frozen=True)
class Change:
    """One change as it is asked for."""

    kind: Kind
    value: str

    @property
    def spelling(self) -> str:
        """As `--change` takes it."""
        return f"{self.kind.name}{'*' if self.kind.scales else '='}{self.value}"

    @property
    def words(self) -> str:
        """As the report says it."""
        value = self.value
        if self.spelling == "output=identity":
            return "output activation bypassed"
        if self.kind.name == "clip":
            value = "off" if self.value == "off" else f"at norm {self.value}"
        if self.kind.name == "loss" and self.value in ("stable", "negated"):
            return {"stable": "stable form of the loss", "negated": "sign of the loss changed"}[self.value]
        if self.kind.name == "activation":
            value = {"relu": "ReLU", "he-relu": "ReLU with He weights", "leaky_relu": "LeakyReLU", "gelu": "GELU"}.get(self.value, self.value)
        if self.kind.name == "insert":
            value = {"norm": "normalisation", "residual": "residual paths"}[self.value]
        return self.kind.words.format(value)

    @property
    def is_cure(self) -> bool:
        """Whether a run that does better with it has lost its cause; controls only separate families."""
        return not self.kind.control and self.spelling != "inputs=zero"


def parse(spelling: str) -> Change:
    """The change that a spelling names. Raises UsageError, which says what would be valid."""
    text = spelling.strip().lower().replace(" ", "").replace("×", "*")
    name, sign, value = next(((n, s, v) for s in "*=" for n, _, v in [text.partition(s)] if s in text), (text, "", ""))
    kind = _BY_NAME.get({"rate": "lr", "learning-rate": "lr", "batch-size": "batch"}.get(name, name))
    if kind is None:
        raise UsageError(f"{spelling!r}: no change of this kind; `nndoctor try --list` shows all of them")
    if sign != ("*" if kind.scales else "=") or (value not in kind.values and not (_takes_number(kind) and _is_number(value, kind))):
        raise UsageError(f"{spelling!r}: spelt {kind.form}" + (f", with one of {', '.join(kind.values)}" if len(kind.values) > 1 else ""))
    return Change(kind, value)


def _takes_number(kind: Kind) -> bool:
    return not kind.values or kind.name == "clip"


def _is_number(value: str, kind: Kind) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return 0 < number < float("inf") if kind.scales or kind.name == "clip" else 0 <= number < float("inf")
