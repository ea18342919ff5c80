"""A small convolutional network learns to read handwritten digits.

    python examples/course/cnn.py                      trains, prints its figures, writes two pictures
    python examples/course/cnn.py --dropout 0          the same without dropout
    python examples/course/cnn.py --help               tells all options

The digits are the 1797 pictures of 8 x 8 pixels that scikit-learn brings along (from NIST forms, Alpaydin and Kaynak
1998). A fifth of them is held out: the network never trains on it, and its figures are for this fifth.

Three ideas make the network a convolutional one. A unit looks at 3 x 3 pixels only: what makes a stroke is local. All
units of a plane share their weights: a stroke is a stroke wherever it is. Pooling keeps the largest of 2 x 2
units: whether there is a stroke matters, not on which pixel. So the first layer has 16 filters of nine weights
each, and they can be looked at: that is the first picture. The second shows which digits are taken for which.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nn
import optim
import torch7
from torch7.optional import optional
from torch7.replacing import replacing

CLASSES = 10


def digits(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pictures (N, 1, 8, 8) from 0 to 1 and labels 1 to 10 (Torch counts from 1): those to learn, those held out."""
    data = optional("sklearn.datasets", "course", "the data set of digits").load_digits()
    pictures = (data.images[:, None] / 16).astype(np.float32)
    labels = data.target + 1
    torch7.manualSeed(seed)
    order = torch7.randperm(len(labels)).astype(int) - 1
    held, kept = np.split(order, [len(order) // 5])
    return (pictures[kept], labels[kept]), (pictures[held], labels[held])


def network(dropout: float) -> nn.Sequential:
    """Two layers of convolution and rectifier see 5 x 5 pixels together and leave 6 x 6 positions; pooling leaves
    3 x 3. A fully connected layer makes the logarithms of ten probabilities of them."""
    net = nn.Sequential()
    net.add(nn.SpatialConvolution(1, 16, 3, 3, 1, 1, 1, 1))
    net.add(nn.ReLU(True))
    net.add(nn.SpatialConvolution(16, 64, 3, 3))
    net.add(nn.ReLU(True))
    net.add(nn.SpatialMaxPooling(2, 2))
    net.add(nn.View(64 * 3 * 3))
    net.add(nn.Dropout(dropout))
    net.add(nn.Linear(64 * 3 * 3, CLASSES))
    net.add(nn.LogSoftMax())
    return net.float()


def minibatches(pictures: np.ndarray, labels: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All examples once, in random order."""
    order = torch7.randperm(len(labels)).astype(int) - 1
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield pictures[chosen], labels[chosen]


def train(net: nn.Sequential, data: tuple[np.ndarray, np.ndarray], options: argparse.Namespace) -> Iterator[float]:
    """Trains epoch by epoch with Adam; gives the mean loss of each. In the second half the steps become smaller, by 0.7
    with each epoch, so that the network comes to rest."""
    criterion = nn.ClassNLLCriterion().float()
    params, gradients = net.getParameters()
    state = {"learningRate": options.learning_rate}
    for epoch in range(options.epochs):
        state["learningRate"] = optim.exponential_decay(options.learning_rate, epoch, 0.7, after=options.epochs / 2)
        net.training()
        losses = []
        for x, labels in minibatches(*data, options.batch_size):

            def feval(params: np.ndarray, x: np.ndarray = x, labels: np.ndarray = labels) -> Any:
                gradients.fill(0)
                loss = criterion.forward(net.forward(x), labels)
                net.backward(x, criterion.backward(net.output, labels))
                return loss, gradients

            _, (loss,) = optim.adam(feval, params, state)
            losses.append(loss)
        yield sum(losses) / len(losses)


def confusions(net: nn.Sequential, pictures: np.ndarray, labels: np.ndarray) -> optim.ConfusionMatrix:
    """Which digits the network takes for which."""
    net.evaluate()
    matrix = optim.ConfusionMatrix([str(digit) for digit in range(CLASSES)])
    matrix.batchAdd(net.forward(pictures), labels)
    matrix.updateValids()
    return matrix


def draw_filters(net: nn.Sequential, picture: np.ndarray, path: Path) -> None:
    """The filters of the first layer, and what each makes of one picture."""
    figure = optional("matplotlib.figure", "course", "the picture of the filters").Figure(
        (13, 2.2), layout="constrained"
    )
    filters = net.get(1).weight[:, 0]
    planes = net.get(1).forward(picture)
    largest = abs(filters).max()
    axes = figure.subplots(2, len(filters) + 1)
    axes[0, 0].axis("off")
    axes[1, 0].imshow(picture[0], "gray_r")
    axes[1, 0].set_title("seen", fontsize=9)
    for i, (weights, plane) in enumerate(zip(filters, planes), 1):
        axes[0, i].imshow(weights, "RdBu", vmin=-largest, vmax=largest)
        axes[0, i].set_title(str(i), fontsize=9)
        axes[1, i].imshow(np.maximum(plane, 0), "gray_r")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.suptitle("Filters of the first layer (blue: positive, red: negative), and their answers to one picture")
    with replacing(path) as draft:
        figure.savefig(draft, dpi=120)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options; argparse ends the program where one makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20, help="how often to see all pictures (default: 20)")
    parser.add_argument("--batch-size", type=int, default=32, help="pictures in a minibatch (default: 32)")
    parser.add_argument("--learning-rate", type=float, default=0.003, help="Adam's, at first (default: 0.003)")
    parser.add_argument("--dropout", type=float, default=0.5, help="share of dropped units, 0 for none (default: 0.5)")
    parser.add_argument("--seed", type=int, default=1, help="of Torch's random numbers (default: 1)")
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the pictures (default: this one)")
    options = parser.parse_args(words)
    for name in ("epochs", "batch_size"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: expected 1 or more, got {getattr(options, name)}")
    if not 0 <= options.dropout < 1:
        parser.error(f"--dropout: expected at least 0 and less than 1, got {options.dropout}")
    if not 0 < options.learning_rate < float("inf"):
        parser.error(f"--learning-rate: expected a number above 0, got {options.learning_rate}")
    if not options.output.is_dir():
        parser.error(f"--output: no folder {options.output}")
    return options


def main(words: list[str] | None = None) -> float:
    """Trains, tells and draws; returns the share of held-out digits that are read rightly."""
    options = arguments(words)
    data, held_out = digits(options.seed)
    net = network(options.dropout)
    print(net)
    count = sum(p.size for p in net.parameters()[0])
    print(f"{count} parameters, {len(data[1])} pictures to learn from, {len(held_out[1])} held out")
    track = optional("rich.progress", "course", "the progress bar").track
    for epoch, loss in enumerate(track(train(net, data, options), "training", options.epochs), 1):
        if epoch % 5 == 0 or epoch == options.epochs:
            share = confusions(net, *held_out).totalValid
            print(f"epoch {epoch:3}: loss {loss:.4f}, {share:.2%} of the held-out digits are right")
    matrix = confusions(net, *held_out)
    print(f"which digit (row) was taken for which (column)\n{matrix}")
    an_eight = held_out[0][held_out[1] == 9][0]
    filters, confusion = options.output / "cnn-filters.png", options.output / "cnn-confusion.png"
    draw_filters(net, an_eight, filters)
    print(f"wrote {filters}")
    wrong = matrix.mat.sum() - matrix.mat.trace()
    matrix.save(confusion, title=f"{wrong} of {matrix.mat.sum()} digits were taken for another")
    print(f"wrote {confusion}")
    return matrix.totalValid


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ImportError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
