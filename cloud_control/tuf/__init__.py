"""The signed model repository, by The Update Framework: what devices trust, and nothing else."""
