"""How many multiplications with an addition a module makes: those of matrix products and convolutions.

What a bias adds, and what works element by element (transfer functions, poolings, normalizations, products of tables),
does not count. `multiply_adds.register` takes a function for a class of one's own.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from nn import (
    MM,
    MV,
    Bilinear,
    Cosine,
    CosineDistance,
    DotProduct,
    Euclidean,
    IndexLinear,
    Kmeans,
    Linear,
    MixtureTable,
    PartialLinear,
    SparseLinear,
    SpatialContrastiveNormalization,
    SpatialConvolution,
    SpatialConvolutionLocal,
    SpatialConvolutionMap,
    SpatialConvolutionMM,
    SpatialDepthWiseConvolution,
    SpatialDivisiveNormalization,
    SpatialFullConvolution,
    SpatialFullConvolutionMap,
    SpatialSubSampling,
    SpatialSubtractiveNormalization,
    TemporalConvolution,
    TemporalRowConvolution,
    TemporalSubSampling,
    VolumetricConvolution,
    VolumetricFullConvolution,
    WeightedEuclidean,
)
from torch7.tables import is_table


@singledispatch
def multiply_adds(module: Any, input: Any, output: Any) -> int:
    """The multiply-adds of a forward of `module`, told from its input and output; 0 for a class that has no formula.

    Derived classes count as what they derive from.

    >>> import numpy as np
    >>> multiply_adds(Linear(4, 3), np.ones((2, 4)), np.ones((2, 3)))
    24
    """
    return 0


# -- each element of the output is a sum of products with some of the weights


@multiply_adds.register(Linear)
@multiply_adds.register(Cosine)
@multiply_adds.register(SpatialConvolution)
@multiply_adds.register(SpatialConvolutionMM)
@multiply_adds.register(TemporalConvolution)
@multiply_adds.register(TemporalRowConvolution)
@multiply_adds.register(VolumetricConvolution)
def _rows_of_weights(module: Any, input: Any, output: Any) -> int:
    return output.size * module.weight[0].size


@multiply_adds.register(Euclidean)
@multiply_adds.register(WeightedEuclidean)
def _distances(module: Any, input: Any, output: Any) -> int:
    """A square for each coordinate."""
    return output.size * len(module.weight)


@multiply_adds.register
def _(module: Kmeans, input: Any, output: Any) -> int:
    return input.size * len(module.weight)


@multiply_adds.register
def _(module: PartialLinear, input: Any, output: Any) -> int:
    return output.size * module.inputsize


@multiply_adds.register
def _(module: SpatialConvolutionLocal, input: Any, output: Any) -> int:
    return output.size * module.weight[0, 0, 0].size


@multiply_adds.register(SpatialDepthWiseConvolution)
@multiply_adds.register(SpatialSubSampling)
def _windows_of_planes(module: Any, input: Any, output: Any) -> int:
    """The sum of a sub-sampling's window is a convolution whose weights are one number."""
    return output.size * module.kH * module.kW


@multiply_adds.register
def _(module: TemporalSubSampling, input: Any, output: Any) -> int:
    return output.size * module.kW


@multiply_adds.register
def _(module: SpatialConvolutionMap, input: Any, output: Any) -> int:
    return output.size // output.shape[-3] * module.weight.size


# -- each element of the input is multiplied with some of the weights


@multiply_adds.register(SpatialFullConvolution)
@multiply_adds.register(VolumetricFullConvolution)
def _spread(module: Any, input: Any, output: Any) -> int:
    return (input[0] if is_table(input) else input).size * module.weight[0].size


@multiply_adds.register
def _(module: SpatialFullConvolutionMap, input: Any, output: Any) -> int:
    return input.size // input.shape[-3] * module.weight.size


@multiply_adds.register
def _(module: SparseLinear, input: Any, output: Any) -> int:
    """For each pair of index and value that is given."""
    pairs = sum(map(len, input)) if is_table(input) else input.size // 2
    return pairs * len(module.bias)


@multiply_adds.register
def _(module: IndexLinear, input: Any, output: Any) -> int:
    """For each key that is given."""
    keys = input[0]
    return (sum(map(len, keys)) if is_table(keys) else len(keys)) * module.outputSize


# -- products of two inputs


@multiply_adds.register
def _(module: MM, input: Any, output: Any) -> int:
    return output.size * input[0].shape[-2 if module.transA else -1]


@multiply_adds.register(MV)
@multiply_adds.register(DotProduct)
@multiply_adds.register(CosineDistance)
def _products(module: Any, input: Any, output: Any) -> int:
    """For the cosine that of the product of both vectors, without their lengths."""
    return input[0].size


@multiply_adds.register
def _(module: MixtureTable, input: Any, output: Any) -> int:
    return output.size * input[0].shape[-1]


@multiply_adds.register
def _(module: Bilinear, input: Any, output: Any) -> int:
    """W_k x2, and its product with x1."""
    out, width, _ = module.weight.shape
    return len(input[0]) * (module.weight.size + out * width)


# -- averages over a neighbourhood


@multiply_adds.register(SpatialSubtractiveNormalization)
@multiply_adds.register(SpatialDivisiveNormalization)
def _averages(module: Any, input: Any, output: Any) -> int:
    """A kernel with one dimension is used along the rows of the image with its padding, then along the columns."""
    if module.kernel.ndim == 2:
        return input.size * module.kernel.size
    k, (*_, height, width) = len(module.kernel), input.shape
    planes = input.size // (height * width)
    return planes * k * ((height + k - 1) * width + height * width)


@multiply_adds.register
def _(module: SpatialContrastiveNormalization, input: Any, output: Any) -> int:
    return 2 * _averages(module, input, output)
