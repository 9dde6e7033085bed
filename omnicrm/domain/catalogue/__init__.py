"""Products: what can be ordered, for whom, at what price, and which play provides it."""
