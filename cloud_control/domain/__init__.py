"""What the control plane knows and decides: frozen records and pure functions."""
