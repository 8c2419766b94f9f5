"""People, addresses, logins."""
