"""HTTP for the connectors: sending, bounds, reading answers."""
