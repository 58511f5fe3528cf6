"""Events that tell others what has ended."""
