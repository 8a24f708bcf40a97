"""Finding objects: the model, what it is shown, and what its answers mean."""

from __future__ import annotations

import os

# ONNX Runtime (1.29 and later) reports on its use to its maker unless told not to before it loads.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
