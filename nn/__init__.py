"""What `require 'nn'` gave: modules, criterions and their tools."""

from . import tables, utils
from .activations.limits import Clamp, HardShrink, HardTanh, ReLU6, SoftShrink
from .activations.maxout import Maxout
from .activations.pointwise import Abs, Exp, Log, Power, Sqrt, Square
from .activations.rectifier import ELU, CReLU, LeakyReLU, PReLU, ReLU, RReLU, Threshold
from .activations.softmax import LogSoftMax, SoftMax, SoftMin, SpatialLogSoftMax, SpatialSoftMax
from .activations.transfer import GatedLinearUnit, LogSigmoid, Sigmoid, SoftPlus, SoftSign, Tanh, TanhShrink
from .container import Container
from .containers.decorators import Bottle, Decorator, DontCast
from .containers.gpu import GPU
from .containers.parallel import Concat, DepthConcat, Parallel
from .containers.sequential import Sequential
from .containers.table_containers import ConcatTable, MapTable, ParallelTable
from .containers.watching import NaN, Profile
from .criterion import Criterion
from .criterions.classification import (
    BCECriterion,
    ClassNLLCriterion,
    CrossEntropyCriterion,
    MultiLabelSoftMarginCriterion,
    SpatialClassNLLCriterion,
)
from .criterions.embedding import (
    CosineEmbeddingCriterion,
    DistanceRatioCriterion,
    HingeEmbeddingCriterion,
    L1HingeEmbeddingCriterion,
    MarginRankingCriterion,
)
from .criterions.margin import (
    ClassSimplexCriterion,
    MarginCriterion,
    MultiLabelMarginCriterion,
    MultiMarginCriterion,
    SoftMarginCriterion,
)
from .criterions.regression import (
    AbsCriterion,
    DistKLDivCriterion,
    L1Cost,
    MSECriterion,
    SmoothL1Criterion,
    SpatialAutoCropMSECriterion,
    WeightedMSECriterion,
)
from .criterions.wrappers import CriterionTable, ModuleCriterion, MultiCriterion, ParallelCriterion
from .layers.affine import Add, AddConstant, CAdd, CMul, Constant, Mul, MulConstant
from .layers.distance import Cosine, Euclidean, WeightedEuclidean
from .layers.gradient import GradientReversal, L1Penalty, PrintSize, ZeroGrad
from .layers.index_linear import IndexLinear
from .layers.kmeans import Kmeans
from .layers.linear import Bilinear, Linear, PartialLinear
from .layers.lookup import LookupTable, OneHot
from .layers.noise import Dropout, SpatialDropout, VolumetricDropout, WhiteNoise
from .layers.pair import MM, MV, CosineDistance, DotProduct, PairwiseDistance
from .layers.sparse import SparseLinear
from .layers.weight_norm import LinearWeightNorm, WeightNorm
from .module import Module
from .normalization.batch import BatchNormalization, SpatialBatchNormalization, VolumetricBatchNormalization
from .normalization.layer import LayerNormalization, Normalize
from .normalization.spatial import (
    SpatialContrastiveNormalization,
    SpatialCrossMapLRN,
    SpatialDivisiveNormalization,
    SpatialSubtractiveNormalization,
)
from .spatial.adaptive_pooling import SpatialAdaptiveAveragePooling, SpatialAdaptiveMaxPooling
from .spatial.convolution import SpatialConvolution, SpatialConvolutionMM, SpatialDilatedConvolution
from .spatial.depthwise import SpatialDepthWiseConvolution, TemporalRowConvolution
from .spatial.fractional_pooling import SpatialFractionalMaxPooling, VolumetricFractionalMaxPooling
from .spatial.full_convolution import SpatialFullConvolution
from .spatial.local import SpatialConvolutionLocal
from .spatial.lp_pooling import FeatureLPPooling, SpatialLPPooling
from .spatial.mapped import SpatialConvolutionMap, SpatialFullConvolutionMap
from .spatial.padding import (
    SpatialReflectionPadding,
    SpatialReplicationPadding,
    SpatialZeroPadding,
    VolumetricReplicationPadding,
)
from .spatial.pooling import SpatialAveragePooling, SpatialDilatedMaxPooling, SpatialMaxPooling
from .spatial.subsampling import SpatialSubSampling, TemporalSubSampling
from .spatial.temporal import TemporalConvolution
from .spatial.temporal_pooling import TemporalDynamicKMaxPooling, TemporalMaxPooling
from .spatial.unpooling import SpatialMaxUnpooling, VolumetricMaxUnpooling
from .spatial.upsampling import PixelShuffle, SpatialUpSamplingBilinear, SpatialUpSamplingNearest, UpSampling
from .spatial.volumetric import VolumetricConvolution, VolumetricDilatedConvolution, VolumetricFullConvolution
from .spatial.volumetric_pooling import VolumetricAveragePooling, VolumetricDilatedMaxPooling, VolumetricMaxPooling
from .tables.convert import Convert, Copy
from .tables.dimensions import Replicate, Squeeze, Transpose, Unsqueeze
from .tables.mixture import MixtureTable
from .tables.reduce import Max, Mean, Min, Sum
from .tables.select import Index, MaskedSelect, Narrow, Padding, Select
from .tables.shape import Collapse, Contiguous, Identity, Reshape, View
from .tables.table import FlattenTable, JoinTable, NarrowTable, SelectTable, SplitTable
from .tables.table_math import CAddTable, CAddTensorTable, CDivTable, CMaxTable, CMinTable, CMulTable, CSubTable
from .tables.zipping import ZipTable, ZipTableOneToMany
from .tools import hessian
from .tools import jacobian as Jacobian
from .tools import sparse_jacobian as SparseJacobian
from .tools.training import StochasticGradient

__all__ = [
    "ELU",
    "GPU",
    "MM",
    "MV",
    "Abs",
    "AbsCriterion",
    "Add",
    "AddConstant",
    "BCECriterion",
    "BatchNormalization",
    "Bilinear",
    "Bottle",
    "CAdd",
    "CAddTable",
    "CAddTensorTable",
    "CDivTable",
    "CMaxTable",
    "CMinTable",
    "CMul",
    "CMulTable",
    "CReLU",
    "CSubTable",
    "Clamp",
    "ClassNLLCriterion",
    "ClassSimplexCriterion",
    "Collapse",
    "Concat",
    "ConcatTable",
    "Constant",
    "Container",
    "Contiguous",
    "Convert",
    "Copy",
    "Cosine",
    "CosineDistance",
    "CosineEmbeddingCriterion",
    "Criterion",
    "CriterionTable",
    "CrossEntropyCriterion",
    "Decorator",
    "DepthConcat",
    "DistKLDivCriterion",
    "DistanceRatioCriterion",
    "DontCast",
    "DotProduct",
    "Dropout",
    "Euclidean",
    "Exp",
    "FeatureLPPooling",
    "FlattenTable",
    "GatedLinearUnit",
    "GradientReversal",
    "HardShrink",
    "HardTanh",
    "HingeEmbeddingCriterion",
    "Identity",
    "Index",
    "IndexLinear",
    "Jacobian",
    "JoinTable",
    "Kmeans",
    "L1Cost",
    "L1HingeEmbeddingCriterion",
    "L1Penalty",
    "LayerNormalization",
    "LeakyReLU",
    "Linear",
    "LinearWeightNorm",
    "Log",
    "LogSigmoid",
    "LogSoftMax",
    "LookupTable",
    "MSECriterion",
    "MapTable",
    "MarginCriterion",
    "MarginRankingCriterion",
    "MaskedSelect",
    "Max",
    "Maxout",
    "Mean",
    "Min",
    "MixtureTable",
    "Module",
    "ModuleCriterion",
    "Mul",
    "MulConstant",
    "MultiCriterion",
    "MultiLabelMarginCriterion",
    "MultiLabelSoftMarginCriterion",
    "MultiMarginCriterion",
    "NaN",
    "Narrow",
    "NarrowTable",
    "Normalize",
    "OneHot",
    "PReLU",
    "Padding",
    "PairwiseDistance",
    "Parallel",
    "ParallelCriterion",
    "ParallelTable",
    "PartialLinear",
    "PixelShuffle",
    "Power",
    "PrintSize",
    "Profile",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Replicate",
    "Reshape",
    "Select",
    "SelectTable",
    "Sequential",
    "Sigmoid",
    "SmoothL1Criterion",
    "SoftMarginCriterion",
    "SoftMax",
    "SoftMin",
    "SoftPlus",
    "SoftShrink",
    "SoftSign",
    "SparseJacobian",
    "SparseLinear",
    "SpatialAdaptiveAveragePooling",
    "SpatialAdaptiveMaxPooling",
    "SpatialAutoCropMSECriterion",
    "SpatialAveragePooling",
    "SpatialBatchNormalization",
    "SpatialClassNLLCriterion",
    "SpatialContrastiveNormalization",
    "SpatialConvolution",
    "SpatialConvolutionLocal",
    "SpatialConvolutionMM",
    "SpatialConvolutionMap",
    "SpatialCrossMapLRN",
    "SpatialDepthWiseConvolution",
    "SpatialDilatedConvolution",
    "SpatialDilatedMaxPooling",
    "SpatialDivisiveNormalization",
    "SpatialDropout",
    "SpatialFractionalMaxPooling",
    "SpatialFullConvolution",
    "SpatialFullConvolutionMap",
    "SpatialLPPooling",
    "SpatialLogSoftMax",
    "SpatialMaxPooling",
    "SpatialMaxUnpooling",
    "SpatialReflectionPadding",
    "SpatialReplicationPadding",
    "SpatialSoftMax",
    "SpatialSubSampling",
    "SpatialSubtractiveNormalization",
    "SpatialUpSamplingBilinear",
    "SpatialUpSamplingNearest",
    "SpatialZeroPadding",
    "SplitTable",
    "Sqrt",
    "Square",
    "Squeeze",
    "StochasticGradient",
    "Sum",
    "Tanh",
    "TanhShrink",
    "TemporalConvolution",
    "TemporalDynamicKMaxPooling",
    "TemporalMaxPooling",
    "TemporalRowConvolution",
    "TemporalSubSampling",
    "Threshold",
    "Transpose",
    "Unsqueeze",
    "UpSampling",
    "View",
    "VolumetricAveragePooling",
    "VolumetricBatchNormalization",
    "VolumetricConvolution",
    "VolumetricDilatedConvolution",
    "VolumetricDilatedMaxPooling",
    "VolumetricDropout",
    "VolumetricFractionalMaxPooling",
    "VolumetricFullConvolution",
    "VolumetricMaxPooling",
    "VolumetricMaxUnpooling",
    "VolumetricReplicationPadding",
    "WeightNorm",
    "WeightedEuclidean",
    "WeightedMSECriterion",
    "WhiteNoise",
    "ZeroGrad",
    "ZipTable",
    "ZipTableOneToMany",
    "hessian",
    "tables",
    "utils",
]
