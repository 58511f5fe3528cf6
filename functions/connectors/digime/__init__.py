"""The connector of digi.me v1.6."""
