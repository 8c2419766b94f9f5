"""Questions and answers in each client's form (pure)."""
