"""Layers that disturb their input at random while training."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..activations.elementwise import Elementwise
from ..checks import fitted, number
from ..module import Module


class Dropout(Elementwise):
    """Sets elements to zero at random: y = x noise / (1 - p), noise = 0 with probability p, else 1.

    So it is while training (the mode of a new module); in evaluate mode y = x. With `v1`, y = x noise while training
    and y = (1 - p) x in evaluate mode. With `stochasticInference` noise is drawn in evaluate mode too. Inputs have any
    shape. Raises ValueError unless 0 <= p < 1, and for a backward while training without a forward.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

    >>> torch7.manualSeed(1)
    >>> Dropout(0.5).forward(np.ones(6))
    array([2., 0., 0., 0., 2., 2.])
    """

    BUFFERS = ("noise",)
    p: Any
    noise: Any = None
    v2: Any = None
    stochastic_inference: Any = False

    def __init__(
        self, p: float | None = 0.5, v1: bool = False, inplace: bool = False, stochasticInference: bool = False
    ):
        super().__init__()
        self.setp(0.5 if p is None else p)
        self.train = True
        self.inplace = bool(inplace)
        self.stochastic_inference = bool(stochasticInference)
        self.v2 = not v1
        self.noise = memory.empty()

    def setp(self, p: float) -> None:
        """Sets the probability of an element to become zero."""
        p = number(self, p)
        if not 0 <= p < 1:
            raise ValueError(f"{torch7.typename(self)}: expected a probability 0 <= p < 1, got {p}")
        self.p = p

    def _factor(self) -> float:
        return 1 if self.v2 else 1 - self.p

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        if self.p > 0 and (self.train or self.stochastic_inference):
            self.noise = memory.resized(self.noise, x.shape, x.dtype)
            torch7.bernoulli_(self.noise, 1 - self.p)
            if self.v2:
                self.noise /= 1 - self.p
            np.multiply(x, self.noise, out=out)
        else:
            np.multiply(x, self._factor(), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        # Torch quirk: in evaluate mode the gradient passes by the noise of stochastic inference.
        if self.p > 0 and self.train:
            if self.noise.size != g.size:
                raise ValueError(
                    f"{torch7.typename(self)}: expected a forward in training mode of {g.size} elements before the "
                    f"backward, got noise of shape {self.noise.shape}"
                )
            np.multiply(g, self.noise.reshape(g.shape), out=out)
        else:
            np.multiply(g, self._factor(), out=out)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({self.p:f})"


class _PlaneDropout(Module):
    """What the dropouts of whole feature maps share: one draw for each map, y = x noise."""

    BUFFERS = ("noise",)
    ROWWISE = True
    SHAPE = ""  # of a sample
    p: Any
    noise: Any = None
    stochastic_inference: Any = False

    def __init__(self, p: float | None = 0.5, stochasticInference: bool = False):
        super().__init__()
        self.setp(0.5 if p is None else p)
        self.train = True
        self.stochastic_inference = bool(stochasticInference)
        self.noise = memory.empty()

    def setp(self, p: float) -> None:
        """Sets the probability of a feature map to become zero."""
        p = number(self, p)
        if not 0 <= p <= 1:
            raise ValueError(f"{torch7.typename(self)}: expected a probability 0 <= p <= 1, got {p}")
        self.p = p

    def _maps(self, x: np.ndarray) -> tuple[int, ...]:
        """The shape of the noise for x."""
        dims = len(self.SHAPE.split())
        if x.ndim not in (dims, dims + 1):
            raise ValueError(
                f"{torch7.typename(self)}: expected an input ({self.SHAPE}) or (N, {self.SHAPE}), got shape {x.shape}"
            )
        return *x.shape[: 1 - dims], *(1,) * (dims - 1)

    def _draw(self, x: np.ndarray) -> np.ndarray:
        self.noise = memory.resized(self.noise, self._maps(x), x.dtype)
        return torch7.bernoulli_(self.noise, 1 - self.p)

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        noise = self._draw(x) if self.train or self.stochastic_inference else 1 - self.p
        self.output = memory.resized(self.output, x.shape, x.dtype)
        return np.multiply(x, noise, out=self.output)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        if not self.train:
            raise ValueError(f"{torch7.typename(self)}: a backward is only defined while training")
        x, noise = self.typed(input), self.noise
        g = fitted(self, gradOutput, x)
        if noise is None or noise.shape != self._maps(x):
            raise ValueError(
                f"{torch7.typename(self)}: expected a forward of an input of shape {x.shape} in training mode before "
                f"the backward"
            )
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        return np.multiply(g, noise, out=self.gradInput)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({self.p:f})"


class SpatialDropout(_PlaneDropout):
    """Sets whole feature maps to zero at random: y = x noise, noise = 0 with probability p, else 1, one per map.

    So it is while training (the mode of a new module); in evaluate mode y = (1 - p) x, or again y = x noise with
    `stochasticInference`. Input (C, H, W) or (N, C, H, W), in evaluate mode of any shape. Raises ValueError for
    other inputs, unless 0 <= p <= 1, and for a backward in evaluate mode.

    Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.

    >>> torch7.manualSeed(1)
    >>> SpatialDropout().forward(np.ones((4, 1, 2)))[:, 0]
    array([[1., 1.],
           [0., 0.],
           [0., 0.],
           [0., 0.]])
    """

    SHAPE = "C, H, W"


class VolumetricDropout(_PlaneDropout):
    """Sets whole volumes to zero at random: SpatialDropout for input (C, T, H, W) or (N, C, T, H, W).

    >>> torch7.manualSeed(1)
    >>> VolumetricDropout().forward(np.ones((4, 1, 1, 2)))[:, 0, 0]
    array([[1., 1.],
           [0., 0.],
           [0., 0.],
           [0., 0.]])
    """

    SHAPE = "C, T, H, W"


class WhiteNoise(Elementwise):
    """Adds normally distributed noise: y = x + noise, noise drawn from normal(mean, std) per element.

    So it is while training (the mode of a new module); in evaluate mode y = x + mean. Inputs have any shape; the
    gradient goes through as it is. Raises ValueError for a std that is not positive while training, and for a backward
    in evaluate mode.

    >>> torch7.manualSeed(1)
    >>> WhiteNoise(0, 0.5).forward(np.ones(3)).round(3)
    array([-0.486,  1.853,  0.785])
    """

    BUFFERS = ("noise",)
    noise: Any = None

    def __init__(self, mean: float | None = 0, std: float | None = 0.1):
        super().__init__()
        self.mean = number(self, mean, 0)
        self.std = number(self, std, 0.1)
        self.noise = memory.empty()

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        noise = self.mean
        if self.train is not False:
            if not self.std > 0:
                raise ValueError(f"nn.WhiteNoise: expected a positive standard deviation, got {self.std}")
            noise = self.noise = memory.resized(self.noise, x.shape, x.dtype)
            torch7.normal_(noise, self.mean, self.std)
        np.add(x, noise, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        if self.train is False:
            raise ValueError("nn.WhiteNoise: a backward is only defined while training")
        np.copyto(out, g)

    def __str__(self) -> str:
        return f"{torch7.typename(self)} mean: {self.mean:f}, std: {self.std:f}"
