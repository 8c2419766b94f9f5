"""Cards: what every door asks of a message, rendered once and kept beside the item."""
