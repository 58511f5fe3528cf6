"""Polling on a virtual clock: the product's own plan and check beside an optimum and other ways."""
