"""Rendered training pictures: flat objects drawn once into banks, scenes composed online."""
