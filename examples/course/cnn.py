"""A small convolutional network learns to read handwritten digits.

    python examples/course/cnn.py                      trains, prints its figures, writes three pictures
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
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from torch7.optional import optional

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


def train(net: nn.Sequential, data: tuple[np.ndarray, np.ndarray], options: argparse.Namespace) -> Iterator[float]:
    """Trains epoch by epoch with Adam; gives the mean loss of each. In the second half the steps become smaller, by 0.7
    with each epoch, so that the network comes to rest."""
    pictures, labels = data
    training = lecture.Training(net, nn.ClassNLLCriterion().float(), options.rate)
    for epoch in range(options.epochs):
        training.rate = optim.exponential_decay(options.rate, epoch, 0.7, after=options.epochs / 2)
        net.training()
        batches = lecture.minibatches(len(labels), options.batch_size)
        losses = [training(pictures[batch], labels[batch]) for batch in batches]
        yield sum(losses) / len(losses)


def confusions(net: nn.Sequential, pictures: np.ndarray, labels: np.ndarray) -> optim.ConfusionMatrix:
    """Which digits the network takes for which."""
    net.evaluate()
    return counted(net.forward(pictures), labels)


def counted(answers: np.ndarray, labels: np.ndarray) -> optim.ConfusionMatrix:
    """Which digits are taken for which, by answers (N, 10)."""
    matrix = optim.ConfusionMatrix([str(digit) for digit in range(CLASSES)])
    matrix.batchAdd(answers, labels)
    matrix.updateValids()
    return matrix


def draw_confusions(matrix: optim.ConfusionMatrix, path: Path, how: str = "") -> None:
    """The picture of such a matrix; its title begins with how the digits were read."""
    wrong = matrix.mat.sum() - matrix.mat.trace()
    matrix.save(path, title=f"{how}{wrong} of {matrix.mat.sum()} digits were taken for another")
    print(f"wrote {path}")


def graph(net: nn.Sequential) -> pygraphnn.gModule:
    """The same modules as a graph, to be drawn."""
    x = node = nn.Identity()().annotate(name="picture")
    for module in net.modules:
        node = module(node)
    return pygraphnn.gModule([x], [node]).float()


def draw_filters(net: nn.Sequential, picture: np.ndarray, path: Path) -> None:
    """The filters of the first layer, and what each makes of one picture."""
    figure = lecture.figure(13, 2.2)
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
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--epochs", type=lecture.whole(1), default=20, help="how often to see all pictures")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="pictures in a minibatch")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.003, help="Adam's learning rate, at first")
    parser.add_argument("--dropout", type=lecture.real(least=0, below=1), default=0.5, help="share of dropped units")
    return lecture.parse(parser, words, epochs=6)


def main(words: list[str] | None = None) -> float:
    """Trains, tells and draws; returns the share of held-out digits that are read rightly."""
    options = arguments(words)
    data, held_out = digits(options.seed)
    net = network(options.dropout)
    print(net)
    count = sum(p.size for p in net.parameters()[0])
    print(f"{count} parameters, {len(data[1])} pictures to learn from, {len(held_out[1])} held out")
    for epoch, loss in enumerate(lecture.track(train(net, data, options), "training", options.epochs), 1):
        if epoch % 5 == 0 or epoch == options.epochs:
            matrix = confusions(net, *held_out)
            print(f"epoch {epoch:3}: loss {loss:.4f}, {matrix.totalValid:.2%} of the held-out digits are right")
    print(f"which digit (row) was taken for which (column)\n{matrix}")
    an_eight = held_out[0][held_out[1] == 9][0]
    drawn = graph(net)
    drawn.forward(an_eight[None])
    lecture.draw(drawn, options.output / "cnn-graph.svg", title="One digit, seen by the network")
    draw_filters(net, an_eight, options.output / "cnn-filters.png")
    draw_confusions(matrix, options.output / "cnn-confusion.png")
    return matrix.totalValid


if __name__ == "__main__":
    lecture.run(main)
