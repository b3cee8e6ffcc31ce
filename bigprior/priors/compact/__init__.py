"""The prior that is shipped: one network of all conditional means of an image."""
