"""A rendered clip with known truth, and the demonstration that protects it."""
