"""Calls about how fresh data are."""
