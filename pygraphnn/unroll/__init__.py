"""A network for one time step, run over sequences; networks that run in few calls."""

from .fused import Fused
from .module import Unroll

__all__ = ["Fused", "Unroll"]
