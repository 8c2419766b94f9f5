"""Hints between the processes of one machine."""
