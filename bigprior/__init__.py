"""The framework: a restoration is a fusion of what was observed and what was believed."""
