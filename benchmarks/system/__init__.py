"""What is measured of the whole system: cost, latency, bulk runs."""
