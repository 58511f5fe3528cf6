"""What calls do to the world: as data, and done by blocking or by awaiting."""
