"""Meetings: between the mail that speaks of them and the calendars they stand in."""
