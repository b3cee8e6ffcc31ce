"""The framework: a restoration is a fusion of the data and a prior."""
