"""The command line of Freshet, ``freshet``."""
