"""Adapters that keep everything in the process: for tests and for looking around."""
