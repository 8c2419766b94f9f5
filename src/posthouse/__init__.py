"""Posthouse: one store, many doors."""

__version__ = "0.1.0"
