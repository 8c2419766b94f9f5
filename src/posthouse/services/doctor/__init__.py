"""The doctor: looks at a house from outside and says what to mend and how."""
