"""Batch normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import numbers, shaped
from ..kernels import batch_norm as kernels
from ..module import Module


class BatchNormalization(Module):
    """Normalizes every feature over the batch: y = (x - mean) / sqrt(var + eps) * weight + bias.

    Input and output (N, nOutput). While training, mean and variance are those of the batch, and `running_mean` and
    `running_var` follow them: new = (1 - momentum) * old + momentum * the batch's (the variance of N - 1 there).
    In evaluate mode they are used in their place, and the input may be one vector (nOutput), which becomes a batch of
    one. As in Torch, a training batch of one is normalized by the running statistics too, and does not change them.
    `save_mean` and `save_std` keep the batch's mean and 1 / sqrt(var + eps) for backward.

    weight is drawn from uniform(0, 1), bias is 0; without `affine` there is neither. Raises ValueError for an
    input of another number of features or dimensions, and for a backward without a forward; TypeError for arguments
    of other types.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", ICML 2015.

    >>> BatchNormalization(2, 0, 0.5, False).forward(np.array([[1.0, 0.0], [3.0, 10.0]]))
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    torch_version = 2
    # The first five are those of old files, the next two Torch's copies of what is not contiguous.
    BUFFERS = ("buffer", "buffer2", "centered", "std", "normalized", "_input", "_gradOutput", "save_mean", "save_std")
    LEARNED = ("running_mean", "running_var")
    nDim = 2
    save_mean: Any = None
    save_std: Any = None
    running_std: Any = None

    def __init__(
        self, nOutput: int, eps: float | None = 1e-5, momentum: float | None = 0.1, affine: bool | None = True
    ):
        super().__init__()
        who = torch7.typename(self)
        if torch7.type(nOutput) != "number":
            raise TypeError(f"{who}: expected the number of features, got a {torch7.type(nOutput)}")
        if nOutput < 1:
            raise ValueError(f"{who}: expected one feature or more, got {nOutput} (affine is the fourth argument)")
        if affine is not None and not isinstance(affine, (bool, np.bool_)):
            raise TypeError(f"{who}: expected True or False for affine, got {affine!r:.80}")
        self.affine = affine is None or bool(affine)
        self.eps = 1e-5 if eps is None else eps
        self.train = True
        self.momentum = 0.1 if momentum is None else momentum
        shape = (int(nOutput),)
        self.running_mean = memory.zeros(shape)
        self.running_var = memory.empty(shape)
        if self.affine:
            self.weight, self.bias = memory.empty(shape), memory.empty(shape)
            self.gradWeight, self.gradBias = memory.zeros(shape), memory.zeros(shape)
        self.reset()

    def reset(self, stdv: float | None = None) -> None:
        """Draws weight from uniform(0, 1), sets bias to 0 and forgets the running statistics."""
        if self.weight is not None:
            torch7.uniform_(self.weight)
        if self.bias is not None:
            self.bias.fill(0)
        self.running_mean.fill(0)
        self.running_var.fill(1)

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        if version < 2 and self.running_std is not None:  # once the inverse of the standard deviation was kept
            self.running_var = np.subtract(self.running_std**-2.0, self.eps, out=memory.alias(self.running_std))
            del self.running_std

    def checkInputDim(self, input: np.ndarray) -> None:
        """Raises ValueError for an input of other dimensions or features."""
        wanted, features = self.nDim, self.running_mean.size
        single = self.train is False and input.ndim == wanted - 1
        if not (single or input.ndim == wanted) or input.shape[0 if single else 1] != features or input.size == 0:
            batch = "a batch" if self.train is not False else "a batch, or one sample,"
            raise ValueError(
                f"{torch7.typename(self)}: expected {batch} of {features} features, a {wanted}D tensor, "
                f"got shape {input.shape}"
            )

    def _batch(self, x: Any) -> np.ndarray:
        x = self.typed(x)
        self.checkInputDim(x)
        return np.ascontiguousarray(x if x.ndim == self.nDim else x[None])

    def _learns(self, x: np.ndarray) -> bool:
        """Whether the batch's own statistics count."""
        return bool(self.train) and len(x) > 1

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._batch(input)
        numbers(self, eps=self.eps, momentum=self.momentum)
        self.output = out = memory.resized(self.output, x.shape, x.dtype)
        self.save_mean = memory.resized(self.save_mean, self.running_mean.shape, x.dtype)
        self.save_std = memory.resized(self.save_std, self.running_var.shape, x.dtype)
        if not self._learns(x):
            kernels.normalized_by(x, *self._statistics(x), self.weight, self.bias, out)
            return out
        mean, squares, inverse = kernels.normalized(x, self.eps, self.weight, self.bias, out)
        self.save_mean[...] = mean
        self.save_std[...] = inverse
        others = x.size // mean.size - 1
        for running, new in ((self.running_mean, self.save_mean), (self.running_var, squares / others)):
            running[...] = self.momentum * new.astype(float) + (1 - self.momentum) * running.astype(float)
        return out

    def _statistics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and 1 / sqrt(var + eps), as the forward of x has used them."""
        if self._learns(x):
            return self.save_mean, self.save_std.astype(float)
        with np.errstate(divide="ignore"):
            return self.running_mean, 1 / np.sqrt(self.running_var.astype(float) + self.eps)

    def _backward(self, input: Any, gradOutput: Any, scale: float, to_input: bool, to_parameters: bool) -> Any:
        x, g = self._batch(input), self._batch(gradOutput)
        shaped(self, g, x.shape)
        own = self._learns(x)
        if self.save_mean is None or (own and self.save_mean.shape != self.running_mean.shape):
            raise ValueError(f"{torch7.typename(self)}: backward needs a forward first")
        mean, inverse = self._statistics(x)
        out = slopes = None
        if to_input and self.gradInput is not None:
            self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        to_parameters = to_parameters and (self.gradWeight is not None or self.gradBias is not None)
        if to_parameters or (own and out is not None):
            slopes = kernels.slopes(x, g, mean, inverse, out if own else None)
        if out is not None:
            kernels.gradient(g, inverse, self.weight, slopes if own else None, out)
        for grad, found in zip((self.gradWeight, self.gradBias), slopes or ()):
            if to_parameters and grad is not None:
                grad += scale * found
        return self.gradInput

    def backward(self, input: Any, gradOutput: Any, scale: float = 1) -> Any:
        # both gradients come from the same sums
        return self._backward(input, gradOutput, scale, True, True)

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        return self._backward(input, gradOutput, 1, True, False)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        self._backward(input, gradOutput, scale, False, True)

    def __str__(self) -> str:
        return f"{torch7.typename(self)} ({self.nDim}D) ({self.running_mean.size})"


class SpatialBatchNormalization(BatchNormalization):
    """Batch normalization of images: every plane over the batch and over its pixels.

    Input and output (N, nOutput, H, W), or one (nOutput, H, W) in evaluate mode, which becomes a batch of one.
    All else is as in BatchNormalization.

    >>> x = np.array([0.0, 2.0, 2.0, 4.0] * 2).reshape(2, 1, 2, 2)
    >>> SpatialBatchNormalization(1, 0, None, False).forward(x)[0].round(4)
    array([[[-1.4142,  0.    ],
            [ 0.    ,  1.4142]]])
    """

    torch_version = 2
    nDim = 4


class VolumetricBatchNormalization(BatchNormalization):
    """Batch normalization of volumes: every channel over the batch and over its voxels.

    Input and output (N, nOutput, T, H, W), or one (nOutput, T, H, W) in evaluate mode, which becomes a batch of one.
    All else is as in BatchNormalization.

    >>> VolumetricBatchNormalization(1, 0, None, False).forward(np.array([0.0, 2.0]).reshape(2, 1, 1, 1, 1)).ravel()
    array([-1.,  1.])
    """

    torch_version = 1
    nDim = 5
