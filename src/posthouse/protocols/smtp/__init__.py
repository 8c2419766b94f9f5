"""SMTP, submission and LMTP in; SMTP out."""
