"""Supervised networks: they hide the fusion, so their φ is empty."""
