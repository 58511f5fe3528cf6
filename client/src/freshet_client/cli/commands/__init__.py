"""The commands of ``freshet``."""
