"""Names of the internet."""
