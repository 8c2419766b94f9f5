"""Authentication mechanisms as machines (pure)."""
