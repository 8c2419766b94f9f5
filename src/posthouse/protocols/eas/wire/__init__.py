"""Exchange ActiveSync as bytes (pure)."""
