"""From an accepted message to mailboxes and to other hosts."""
