"""Exchange ActiveSync, for phones."""
