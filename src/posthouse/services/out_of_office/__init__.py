"""Out of office: settings, and the assistant that answers."""
