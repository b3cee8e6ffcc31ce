"""A generative prior of whole scenes, 64 pixels on a side: a diffusion model, and samplers of its posterior."""
