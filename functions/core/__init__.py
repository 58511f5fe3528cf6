"""Floor 0: every decision, with no clock, randomness, network or AWS of its own."""
