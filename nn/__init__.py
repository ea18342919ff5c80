"""What `require 'nn'` gave: modules, criterions and their tools."""

from . import utils
from .activations.rectifier import ReLU, Threshold
from .activations.softmax import LogSoftMax, SoftMax
from .activations.transfer import Sigmoid, Tanh
from .container import Container
from .containers.parallel import Concat
from .containers.sequential import Sequential
from .containers.table_containers import ConcatTable, ParallelTable
from .criterion import Criterion
from .criterions.classification import BCECriterion, ClassNLLCriterion, CrossEntropyCriterion
from .criterions.regression import MSECriterion
from .layers.affine import Add, AddConstant, Mul, MulConstant
from .layers.linear import Linear
from .layers.lookup import LookupTable, OneHot
from .layers.noise import Dropout
from .module import Module
from .tables.select import Narrow, Select
from .tables.shape import Identity, Reshape, View
from .tables.table import FlattenTable, JoinTable, NarrowTable, SelectTable, SplitTable
from .tables.table_math import CAddTable, CDivTable, CMulTable, CSubTable

__all__ = [
    "Add",
    "AddConstant",
    "BCECriterion",
    "CAddTable",
    "CDivTable",
    "CMulTable",
    "CSubTable",
    "ClassNLLCriterion",
    "Concat",
    "ConcatTable",
    "Container",
    "Criterion",
    "CrossEntropyCriterion",
    "Dropout",
    "FlattenTable",
    "Identity",
    "JoinTable",
    "Linear",
    "LogSoftMax",
    "LookupTable",
    "MSECriterion",
    "Module",
    "Mul",
    "MulConstant",
    "Narrow",
    "NarrowTable",
    "OneHot",
    "ParallelTable",
    "ReLU",
    "Reshape",
    "Select",
    "SelectTable",
    "Sequential",
    "Sigmoid",
    "SoftMax",
    "SplitTable",
    "Tanh",
    "Threshold",
    "View",
    "utils",
]
