"""Puts the services of a stage together, and the connectors of its providers."""
