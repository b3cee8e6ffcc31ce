"""Readers of single file formats, by the rules of `datasets.images.read_image`."""
