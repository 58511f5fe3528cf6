"""The calls of the API: a method for each, of the name of its operation."""
