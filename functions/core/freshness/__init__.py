"""How fresh data are, how fresh they should be, and the proof of it."""
