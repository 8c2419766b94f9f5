"""Recurrence: rules as text, and the starts they stand for (pure)."""
