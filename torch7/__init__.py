"""What `require 'torch'` gave a script: types, random numbers, files, command lines."""

from . import dims, memory, registry
from .cmdline import CmdLine
from .draws import (
    bernoulli,
    bernoulli_,
    cauchy,
    cauchy_,
    exponential,
    exponential_,
    geometric,
    geometric_,
    logNormal,
    logNormal_,
    normal,
    normal_,
    rand,
    randn,
    random,
    random_,
    uniform,
    uniform_,
)
from .dtypes import (
    default_dtype,
    dtype_of,
    getdefaulttensortype,
    isStorage,
    isTensor,
    isTypeOf,
    setdefaulttensortype,
    tensor_type,
    typename,
)
from .dtypes import type_ as type
from .generator import (
    Generator,
    default_generator,
    getRNGState,
    initialSeed,
    manualSeed,
    seed,
    setRNGState,
)
from .registry import class_, register
from .sampling import multinomial, multinomialAlias, multinomialAliasSetup, randperm
from .serialization import (
    DiskFile,
    File,
    LuaFunction,
    MemoryFile,
    T7Error,
    TorchObject,
    deserialize,
    load,
    save,
    serialize,
    writable,
)
from .tables import Key, Storage, Table, is_table, pairs
from .tensor_functions import (
    ByteStorage,
    ByteTensor,
    CharStorage,
    CharTensor,
    DoubleStorage,
    DoubleTensor,
    FloatStorage,
    FloatTensor,
    HalfStorage,
    HalfTensor,
    IntStorage,
    IntTensor,
    LongStorage,
    LongTensor,
    ShortStorage,
    ShortTensor,
    Tensor,
    cat,
    eye,
    getnumthreads,
    linspace,
    ones,
    pointer,
    setnumthreads,
    totable,
    zeros,
)
from .tensor_functions import range_ as range
from .timer import Timer, tic, toc
