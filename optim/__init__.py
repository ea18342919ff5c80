"""What `require 'optim'` gave: one function per algorithm, all called as `optim.sgd(opfunc, x, config, state)`."""

from .adaptive import adam, rmsprop
from .sgd import sgd

__all__ = ["adam", "rmsprop", "sgd"]
