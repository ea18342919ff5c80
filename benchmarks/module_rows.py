"""What benchmarks/modules.py times: our module, PyTorch's, and the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import nn
from model.gru import gru
from model.lstm import lstm
from model.rnn import rnn

IMAGES = (16, 64, 56, 56)
VECTORS = (128, 1024)


@dataclass
class Row:
    """One class: how to make ours and PyTorch's, and an input of this shape (a list of shapes: a table of tensors)."""

    name: str
    shape: Any
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    low: float = -2  # the range of the input
    high: float = 2
    labels: tuple[int, ...] = ()  # the input (of LookupTable) or the target is of this shape, from 1 to `classes`
    classes: int = 0
    note: str = ""


class Cell(torch.nn.Module):
    """What char-rnn's step computes, of PyTorch's fused cell: one-hot input, states, decoder, LogSoftMax."""

    def __init__(self, kind: str):
        super().__init__()
        self.cell = getattr(torch.nn, kind)(65, 128)
        self.decoder = torch.nn.Linear(128, 65)
        self.onehot = torch.eye(65)
        self.index = torch.from_numpy(np.random.default_rng(1).integers(0, 65, 50))

    def forward(self, *states: torch.Tensor) -> list[torch.Tensor]:
        x = self.onehot[self.index]
        new = self.cell(x, states[::-1]) if len(states) == 2 else (self.cell(x, states[0]),)
        return [*new[::-1], torch.log_softmax(self.decoder(new[0]), 1)]


class TimeFirst(torch.nn.Module):
    """Conv1d on (N, T, C), as Torch lays sequences out."""

    def __init__(self, inner: torch.nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.transpose(1, 2)).transpose(1, 2)


class Scale(torch.nn.Module):
    """A learned factor for each of 1024 columns."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(1024))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class Step(nn.Module):
    """char-rnn's step graph as a function of its states alone; the characters are fixed."""

    def __init__(self, model: Callable[..., Any]):
        super().__init__()
        self.modules = [model(65, 128, 1)]
        self.characters = np.random.default_rng(1).integers(1, 66, 50)

    def float(self) -> Step:
        self.modules[0].float()
        return self

    def zeroGradParameters(self) -> None:
        self.modules[0].zeroGradParameters()

    def forward(self, input: Any) -> Any:
        return self.modules[0].forward([self.characters, *input])

    def backward(self, input: Any, gradOutput: Any, scale: float = 1) -> Any:
        return self.modules[0].backward([self.characters, *input], gradOutput)


def convolution(note: str, shape: tuple[int, ...], *args: int) -> Row:
    """SpatialConvolution of (planes, outputs, size, stride, padding) beside Conv2d."""
    planes, outputs, k, d, p = args
    return Row(
        "SpatialConvolution",
        shape,
        lambda: nn.SpatialConvolution(planes, outputs, k, k, d, d, p, p),
        lambda: torch.nn.Conv2d(planes, outputs, k, d, p),
        note=note,
    )


PRODUCTS = [
    Row("Linear", (64, 512), lambda: nn.Linear(512, 512), lambda: torch.nn.Linear(512, 512), note="512 -> 512"),
    Row("Linear", (128, 2048), lambda: nn.Linear(2048, 1000), lambda: torch.nn.Linear(2048, 1000), note="2048 -> 1000"),
    Row(
        "LookupTable",
        None,
        lambda: nn.LookupTable(10000, 256),
        lambda: torch.nn.Embedding(10000, 256),
        labels=(64, 35),
        classes=10000,
        note="10000 x 256",
    ),
    Row(
        "LookupTable",
        None,
        lambda: nn.LookupTable(65, 128),
        lambda: torch.nn.Embedding(65, 128),
        labels=(50, 50),
        classes=65,
        note="65 x 128",
    ),
    Row("LSTM step (gModule)", [(50, 128)] * 2, lambda: Step(lstm), lambda: Cell("LSTMCell"), note="128 units"),
    Row("GRU step (gModule)", [(50, 128)], lambda: Step(gru), lambda: Cell("GRUCell"), note="128 units"),
    Row("RNN step (gModule)", [(50, 128)], lambda: Step(rnn), lambda: Cell("RNNCell"), note="128 units"),
    Row("Bilinear", [(64, 64), (64, 64)], lambda: nn.Bilinear(64, 64, 32), lambda: torch.nn.Bilinear(64, 64, 32)),
    Row("MM", [(32, 64, 128), (32, 128, 64)], nn.MM, lambda: torch.bmm),
]

CONVOLUTIONS = [
    convolution("3 -> 64, 7x7/2", (8, 3, 224, 224), 3, 64, 7, 2, 3),
    convolution("64 -> 64, 3x3", IMAGES, 64, 64, 3, 1, 1),
    convolution("16 -> 32, 5x5", (64, 16, 14, 14), 16, 32, 5, 1, 2),
    convolution("32 -> 64, 3x3", (32, 32, 28, 28), 32, 64, 3, 1, 1),
    convolution("256 -> 256, 1x1", (32, 256, 14, 14), 256, 256, 1, 1, 0),
    convolution("1 -> 20, 5x5", (100, 1, 28, 28), 1, 20, 5, 1, 0),
    Row(
        "SpatialDilatedConvolution",
        (8, 64, 28, 28),
        lambda: nn.SpatialDilatedConvolution(64, 64, 3, 3, 1, 1, 2, 2, 2, 2),
        lambda: torch.nn.Conv2d(64, 64, 3, 1, 2, 2),
        note="64 -> 64, 3x3",
    ),
    Row(
        "SpatialFullConvolution",
        (8, 64, 28, 28),
        lambda: nn.SpatialFullConvolution(64, 32, 4, 4, 2, 2, 1, 1),
        lambda: torch.nn.ConvTranspose2d(64, 32, 4, 2, 1),
        note="64 -> 32, 4x4/2",
    ),
    Row(
        "TemporalConvolution",
        (32, 100, 256),
        lambda: nn.TemporalConvolution(256, 256, 5),
        lambda: TimeFirst(torch.nn.Conv1d(256, 256, 5)),
        note="256 -> 256, 5",
    ),
    Row(
        "VolumetricConvolution",
        (4, 8, 16, 16, 16),
        lambda: nn.VolumetricConvolution(8, 16, 3, 3, 3, 1, 1, 1, 1, 1, 1),
        lambda: torch.nn.Conv3d(8, 16, 3, 1, 1),
        note="8 -> 16, 3x3x3",
    ),
]


POOLING = [
    Row("SpatialMaxPooling", IMAGES, lambda: nn.SpatialMaxPooling(2, 2), lambda: torch.nn.MaxPool2d(2), note="2x2"),
    Row(
        "SpatialMaxPooling",
        IMAGES,
        lambda: nn.SpatialMaxPooling(3, 3, 2, 2, 1, 1),
        lambda: torch.nn.MaxPool2d(3, 2, 1),
        note="3x3/2",
    ),
    Row(
        "SpatialAveragePooling",
        IMAGES,
        lambda: nn.SpatialAveragePooling(2, 2, 2, 2),
        lambda: torch.nn.AvgPool2d(2),
        note="2x2",
    ),
    Row(
        "SpatialAdaptiveAveragePooling",
        (32, 512, 7, 7),
        lambda: nn.SpatialAdaptiveAveragePooling(1, 1),
        lambda: torch.nn.AdaptiveAvgPool2d(1),
        note="to 1x1",
    ),
    Row(
        "TemporalMaxPooling",
        (32, 100, 256),
        lambda: nn.TemporalMaxPooling(2),
        lambda: TimeFirst(torch.nn.MaxPool1d(2)),
        note="2",
    ),
    Row(
        "VolumetricMaxPooling",
        (4, 16, 16, 16, 16),
        lambda: nn.VolumetricMaxPooling(2, 2, 2),
        lambda: torch.nn.MaxPool3d(2),
        note="2x2x2",
    ),
]

NORMALIZATION = [
    Row("BatchNormalization", VECTORS, lambda: nn.BatchNormalization(1024), lambda: torch.nn.BatchNorm1d(1024)),
    Row(
        "SpatialBatchNormalization", IMAGES, lambda: nn.SpatialBatchNormalization(64), lambda: torch.nn.BatchNorm2d(64)
    ),
    Row(
        "SpatialCrossMapLRN",
        (8, 96, 27, 27),
        lambda: nn.SpatialCrossMapLRN(5),
        lambda: torch.nn.LocalResponseNorm(5),
    ),
    Row("Dropout", IMAGES, nn.Dropout, torch.nn.Dropout),
    Row("SpatialDropout", IMAGES, nn.SpatialDropout, torch.nn.Dropout2d),
]

TRANSFER = [
    Row("ReLU", IMAGES, nn.ReLU, torch.nn.ReLU),
    Row("LeakyReLU", IMAGES, lambda: nn.LeakyReLU(0.1), lambda: torch.nn.LeakyReLU(0.1)),
    Row("PReLU", IMAGES, lambda: nn.PReLU(64), lambda: torch.nn.PReLU(64)),
    Row("ELU", IMAGES, nn.ELU, torch.nn.ELU),
    Row("HardTanh", IMAGES, nn.HardTanh, torch.nn.Hardtanh),
    Row("Threshold", IMAGES, lambda: nn.Threshold(0.5, 0), lambda: torch.nn.Threshold(0.5, 0)),
    Row("Tanh", (64, 4096), nn.Tanh, torch.nn.Tanh),
    Row("Sigmoid", (64, 4096), nn.Sigmoid, torch.nn.Sigmoid),
    Row("SoftPlus", (64, 4096), nn.SoftPlus, torch.nn.Softplus),
    Row("LogSoftMax", (128, 1000), nn.LogSoftMax, lambda: torch.nn.LogSoftmax(1)),
    Row("SoftMax", (128, 1000), nn.SoftMax, lambda: torch.nn.Softmax(1)),
    Row("Square", VECTORS, nn.Square, lambda: torch.square),
]

TABLES = [
    Row("CAddTable", [VECTORS] * 2, nn.CAddTable, lambda: torch.add),
    Row("CMulTable", [VECTORS] * 2, nn.CMulTable, lambda: torch.mul),
    Row("JoinTable", [VECTORS] * 2, lambda: nn.JoinTable(2), lambda: lambda *x: torch.cat(x, 1)),
    Row("SplitTable", (50, 50, 128), lambda: nn.SplitTable(2), lambda: lambda x: x.unbind(1)),
    Row("Narrow", VECTORS, lambda: nn.Narrow(2, 1, 512), lambda: lambda x: x.narrow(1, 0, 512)),
    Row("Select", (50, 50, 128), lambda: nn.Select(2, -1), lambda: lambda x: x.select(1, -1)),
    Row("Reshape", IMAGES, lambda: nn.Reshape(64 * 56 * 56), lambda: torch.nn.Flatten()),
    Row("View", IMAGES, lambda: nn.View(64 * 56 * 56), lambda: torch.nn.Flatten()),
    Row("Sum", (128, 10, 1024), lambda: nn.Sum(2), lambda: lambda x: x.sum(1)),
    Row("Max", (128, 10, 1024), lambda: nn.Max(2), lambda: lambda x: x.max(1)[0]),
    Row("CMul", VECTORS, lambda: nn.CMul(1024), lambda: Scale()),
    Row("SpatialZeroPadding", IMAGES, lambda: nn.SpatialZeroPadding(1, 1, 1, 1), lambda: torch.nn.ZeroPad2d(1)),
    Row(
        "SpatialUpSamplingNearest",
        (8, 64, 28, 28),
        lambda: nn.SpatialUpSamplingNearest(2),
        lambda: torch.nn.Upsample(scale_factor=2),
    ),
]


CRITERIONS = [
    Row(
        "ClassNLLCriterion",
        (128, 1000),
        nn.ClassNLLCriterion,
        torch.nn.NLLLoss,
        labels=(128,),
        classes=1000,
    ),
    Row(
        "CrossEntropyCriterion",
        (128, 1000),
        nn.CrossEntropyCriterion,
        torch.nn.CrossEntropyLoss,
        labels=(128,),
        classes=1000,
    ),
    Row("MSECriterion", VECTORS, nn.MSECriterion, torch.nn.MSELoss),
    Row("AbsCriterion", VECTORS, nn.AbsCriterion, torch.nn.L1Loss),
    Row("SmoothL1Criterion", VECTORS, nn.SmoothL1Criterion, torch.nn.SmoothL1Loss),
    Row("BCECriterion", VECTORS, nn.BCECriterion, torch.nn.BCELoss, low=0.01, high=0.99),
    Row("DistKLDivCriterion", VECTORS, nn.DistKLDivCriterion, lambda: lambda x, t: F.kl_div(x, t), low=-2, high=-0.1),
    Row(
        "MultiMarginCriterion",
        (128, 1000),
        nn.MultiMarginCriterion,
        torch.nn.MultiMarginLoss,
        labels=(128,),
        classes=1000,
    ),
]

GROUPS = {
    "matrix products": PRODUCTS,
    "convolutions": CONVOLUTIONS,
    "pooling": POOLING,
    "normalization and noise": NORMALIZATION,
    "transfer functions": TRANSFER,
    "shapes and tables": TABLES,
    "criterions": CRITERIONS,
}
