"""MIME: header fields, line ends, dot-stuffing, reports (pure)."""
