"""What the organisation's mail system does, for every door alike."""
