"""The functions that no request waits for: called by the clock, a stream or a queue."""
