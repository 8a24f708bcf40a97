"""The control plane's commands, a file each. Heavy imports stay inside the functions."""
