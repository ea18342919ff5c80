"""What `require 'optim'` gave: one function per algorithm, all called as `optim.sgd(opfunc, x, config, state)`."""

from .adaptive import adadelta, adagrad, adam, adamax, rmsprop
from .cg import cg
from .checkgrad import checkgrad
from .clipping import clip_by_norm, clip_by_value
from .cmaes import cmaes
from .confusion_matrix import ConfusionMatrix
from .de import de
from .finite import nonfinite
from .fista import FistaLS
from .lbfgs import lbfgs
from .linesearch import lswolfe, polyinterp
from .logger import Logger
from .rprop import rprop
from .schedules import exponential_decay, inverse_time_decay, step_decay
from .sgd import asgd, nag, sgd

__all__ = [
    "ConfusionMatrix",
    "FistaLS",
    "Logger",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "asgd",
    "cg",
    "checkgrad",
    "clip_by_norm",
    "clip_by_value",
    "cmaes",
    "de",
    "exponential_decay",
    "inverse_time_decay",
    "lbfgs",
    "lswolfe",
    "nag",
    "nonfinite",
    "polyinterp",
    "rmsprop",
    "rprop",
    "sgd",
    "step_decay",
]
