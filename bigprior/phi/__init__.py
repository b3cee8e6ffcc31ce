"""φ-networks: the paper's, as it was released, and ours; their losses and their training."""
