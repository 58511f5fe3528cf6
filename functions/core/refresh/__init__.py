"""A refresh: its steps, from admission to publication."""
