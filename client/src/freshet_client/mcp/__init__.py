"""Serves an agent by the Model Context Protocol: ``freshet mcp``."""
