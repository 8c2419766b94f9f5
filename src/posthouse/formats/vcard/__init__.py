"""vCard: contacts and distribution lists (pure)."""
