"""Rows that bring results and networks of others into the suite."""
