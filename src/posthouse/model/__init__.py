"""Values of the house: ids, items, folders, changes, batches, errors (pure)."""
