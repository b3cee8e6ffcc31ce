"""Fusions with a generative prior, and generative priors alone."""
