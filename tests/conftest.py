"""Set before numpy is loaded: the tests run side by side, one thread each."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
