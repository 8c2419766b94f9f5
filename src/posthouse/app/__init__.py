"""Composition root: configuration, wiring, roles, command line."""
