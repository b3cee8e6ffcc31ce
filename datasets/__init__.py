"""Clean images and how they are degraded."""
