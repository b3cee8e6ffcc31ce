"""One degradation per file."""
