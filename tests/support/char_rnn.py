"""The models of examples/char_rnn, which import each other as scripts do: from their own directory."""

from __future__ import annotations

import sys

from .golden import ROOT

EXAMPLE = ROOT.parent.parent / "examples" / "char_rnn"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from model.gru import gru  # noqa: E402
from model.lstm import lstm  # noqa: E402
from model.rnn import rnn  # noqa: E402

BUILDERS = {"lstm": lstm, "gru": gru, "rnn": rnn}
