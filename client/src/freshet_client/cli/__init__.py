"""The command ``freshet``."""
