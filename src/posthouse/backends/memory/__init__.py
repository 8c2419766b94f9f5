"""Backends that keep everything in this process, for tests."""
