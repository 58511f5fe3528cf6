"""Benchmarks of the whole system: cost, latency, bulk runs."""
