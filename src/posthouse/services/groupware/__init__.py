"""Groupware: appointments, tasks and contacts in the store, for every door."""
