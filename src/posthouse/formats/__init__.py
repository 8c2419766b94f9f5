"""Formats of mail and groupware data (pure)."""
