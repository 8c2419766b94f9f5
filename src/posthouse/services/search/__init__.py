"""Search: one query language for all doors, and the indexer that feeds it."""
