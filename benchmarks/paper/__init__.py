"""The BIGPrior paper's Tables I–IV again, with the origin of every cell: `python -m benchmarks.paper`."""
