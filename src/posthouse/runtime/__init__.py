"""Sockets, TLS, processes, tasks, logs, metrics."""
