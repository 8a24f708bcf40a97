"""The managed agent: it tells the control plane how it is, and does what it may be told."""
