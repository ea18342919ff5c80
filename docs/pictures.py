"""Draws the pictures of the documentation.

python docs/pictures.py [FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "char_rnn")]

import pygraphnn  # noqa: E402
from model.lstm import lstm  # noqa: E402


def main(folder: Path) -> None:
    """Writes all pictures into the folder."""
    for example, picture in (("lstm_cell", "lstm"), ("encoder_decoder", "encoder_decoder")):
        command = [sys.executable, f"examples/{example}.py", str(folder / f"{picture}.svg")]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    net = lstm(65, 128, 2)
    net.forward([np.arange(1, 51), *[np.zeros((50, 128)) for _ in range(4)]])
    states = {2: 1, 3: 2, 4: 3, 5: 4}
    pygraphnn.draw(net, folder / "char_rnn_lstm.svg", title="One time step of char-rnn's LSTM", states=states)
    net = pygraphnn.lstm(10, 20, input="vectors", output="h", peepholes="diagonal")
    net.forward([np.ones((5, 10)), *pygraphnn.initial_states(net, 5)])
    title = "One time step of an LSTM with peepholes"
    pygraphnn.draw(net, folder / "lstm_peepholes.svg", title=title, states={2: 1, 3: 2})


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs").resolve()
    os.chdir(ROOT)  # tooltips tell files as they are seen from here
    main(folder)
