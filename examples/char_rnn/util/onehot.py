"""Characters as one-hot vectors."""

from __future__ import annotations

from typing import Any

import nn


class OneHot(nn.OneHot):
    """nn.OneHot under char-rnn's name, by which its checkpoints refer to it; an index has no gradient.

    A saved one may carry the field `_eye`, an identity matrix that this one does not need.
    """

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        return self.gradInput
