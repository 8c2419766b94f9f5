"""Implementations of the ports; only app.wiring chooses among them."""
