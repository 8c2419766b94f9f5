"""SMTP and LMTP as bytes (pure)."""
