"""Records, directory and search in SQLite files."""
