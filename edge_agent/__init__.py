"""The agent on the streamer's device: video in, protected video out."""

import os

# Small matrices in several threads cost more than they gain; must be set before NumPy loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
