"""How far to trust a restoration: what warns of its errors, masks with a guarantee, and what of it is invented."""
