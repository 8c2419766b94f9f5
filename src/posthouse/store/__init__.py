"""THE store: the only way to read and write mailboxes."""
