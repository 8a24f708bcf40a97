"""The ports of the control plane, made real."""
