"""Checkpoints: reading them with an eye on what they are, and the pictures that go with them."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygraphnn  # also, with onehot, for the classes that checkpoints refer to
import torch7
from torch7.optional import optional
from torch7.replacing import replacing
from torch7.tables import pairs

from . import onehot  # noqa: F401
from .misc import UsageError


def load_checkpoint(path: str) -> Any:
    """A checkpoint of char-rnn, ours or Torch's."""
    if not Path(path).exists():
        raise UsageError(f"file {path} does not exist. Are you sure you didn't forget to prepend cv/ ?")
    checkpoint = torch7.load(path)
    trouble = what_is_wrong(checkpoint)
    if trouble:
        raise UsageError(f"{path} is not a checkpoint of char-rnn: {trouble}")
    return checkpoint


def what_is_wrong(checkpoint: Any) -> str | None:
    """Why something is no checkpoint of char-rnn, None if it is one."""
    if not isinstance(checkpoint, torch7.Table):
        return f"it holds a {torch7.type(checkpoint)}"
    for name in ("protos", "opt", "vocab"):
        if not isinstance(checkpoint.get(name), torch7.Table):
            return f"it holds no table {name}"
    opt, vocab = checkpoint.opt, checkpoint.vocab
    if not (isinstance(opt.rnn_size, int) and isinstance(opt.num_layers, int) and isinstance(opt.model, str)):
        return "its opt does not tell rnn_size, num_layers and model"
    if {i for i in vocab.values() if isinstance(i, int)} != set(range(1, len(vocab) + 1)):
        return "its vocab does not count characters from 1"
    rnn = checkpoint.protos.rnn
    if not isinstance(rnn, torch7.TorchObject) and not hasattr(rnn, "updateOutput"):
        return f"its protos.rnn is a {torch7.type(rnn)}, not a network"
    return None


def network_of(checkpoint: Any, path: str) -> Any:
    """The network in a checkpoint, if all its modules are known here."""
    unknown = unknown_classes(checkpoint.protos.rnn)
    if unknown:
        raise UsageError(f"the network of {path} has modules unknown here: {', '.join(sorted(unknown))}")
    return checkpoint.protos.rnn


def unknown_classes(module: Any) -> set[str]:
    """Torch's names of the classes inside a module that have no class here."""
    if isinstance(module, torch7.TorchObject):
        return {module.torch_typename}
    return {name for child in module.modules or () for name in unknown_classes(child)}


def check_vocabulary(vocab: Any, checkpoint: Any, path: str) -> None:
    """The text must have the very characters that the checkpoint was trained on."""
    ours, theirs = dict(pairs(vocab)), dict(pairs(checkpoint.vocab))
    if ours == theirs:
        return
    new, missing = sorted(set(ours) - set(theirs), key=repr), sorted(set(theirs) - set(ours), key=repr)
    difference = f"only the text has {brief(new)}, only the checkpoint {brief(missing)}"
    raise UsageError(
        f"the character vocabulary of the text ({len(ours)}) and that of {path} ({len(theirs)}) are not the same: "
        + (difference if new or missing else "they count the same characters in another order")
    )


def brief(keys: list[Any]) -> str:
    """Some of the keys, for a message."""
    return ", ".join(map(repr, keys[:8])) + (", ..." if len(keys) > 8 else "") if keys else "nothing"


def make_directory(path: Path) -> None:
    """Makes the directory if there is none, and sees now, before hours of training, whether it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise UsageError(f"cannot write checkpoints to {path}: {error.strerror}") from None


@functools.cache
def say_once(text: str) -> None:
    """Prints a remark that would come again with every checkpoint."""
    print(text, file=sys.stderr)


def save_loss_curve(path: Path, train_losses: Any, val_losses: Any) -> None:
    """Draws the losses of a run to a PNG file. Without matplotlib it says so, once, and goes on."""
    try:
        figure_module = optional("matplotlib.figure", "plot", "the loss curve")
    except ImportError as error:
        say_once(str(error))
        return
    figure = figure_module.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    train, val = dict(pairs(train_losses)), dict(pairs(val_losses))
    axes.plot(list(train), list(train.values()), linewidth=0.8, color="tab:blue", label="training (each minibatch)")
    axes.plot(list(val), list(val.values()), "o-", color="tab:orange", label="validation")
    axes.set(xlabel="iteration", ylabel="loss per character (nats)")
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as draft:
        figure.savefig(draft, dpi=120)


def draw_step(step: Any, path: Path, model: str, say: Callable[[str], Any]) -> None:
    """Draws the graph of one time step to an SVG file. Without Graphviz it says so and goes on."""
    states = {k + 1: k for k in range(1, step.nInputs)}  # x comes first, the prediction last
    try:
        pygraphnn.draw(step, path, title=f"one time step of the {model}", states=states)
    except (ImportError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
    else:
        say(f"drew the graph of one time step to {path}")
