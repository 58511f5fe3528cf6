"""The benchmarks: `make bench` runs all of them and prints the figures."""
