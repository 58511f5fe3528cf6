"""The connector of Endgrate."""
