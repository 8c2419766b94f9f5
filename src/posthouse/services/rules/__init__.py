"""Rules: what people want done with mail as it comes in, and answers that nobody writes."""
