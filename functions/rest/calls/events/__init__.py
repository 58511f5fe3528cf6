"""Calls about events, and about the endpoints that they are delivered to."""
