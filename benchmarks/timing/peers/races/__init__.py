"""One file per row or metric, each with a tuple `RACES`."""
