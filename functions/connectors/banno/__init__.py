"""The connector of Banno."""
