"""The doors: one package per protocol."""
