"""POP3 as bytes (pure)."""
