"""Metrics, one per file: a new one is found by its file alone."""
