"""The same system on one machine: no cloud account, no containers."""
