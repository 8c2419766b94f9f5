"""Import, export, backup, verify, doctor: work on the whole store."""
