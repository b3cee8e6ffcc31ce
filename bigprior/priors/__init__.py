"""Generative priors: images from latents, and an observation back to latents through its operator."""
