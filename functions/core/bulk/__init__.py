"""A bulk run: refreshes of many connections at a bounded pace."""
