"""One set of clean images per file."""
