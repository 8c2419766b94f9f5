"""iCalendar: appointments, tasks and scheduling messages as views of their original (pure)."""
