"""Speed, measured with pytest-benchmark: `pytest benchmarks/timing`."""
