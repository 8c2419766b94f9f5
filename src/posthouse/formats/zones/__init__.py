"""Time zones: their names, and their rules as Windows and Exchange write them (pure)."""
