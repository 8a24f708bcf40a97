"""A stream in a process of its own, steered from outside: what the fleet's agent runs many of."""
