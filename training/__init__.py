"""How the detectors are made: data, model, loop, evaluation, thresholds, export."""
