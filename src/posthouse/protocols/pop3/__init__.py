"""POP3 with memory."""
