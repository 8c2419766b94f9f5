"""Assistants: what the server does with mail of its own accord, right after it came."""
