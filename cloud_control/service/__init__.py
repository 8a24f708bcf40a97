"""Use cases of the control plane: what its interfaces call."""
