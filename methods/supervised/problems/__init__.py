"""What each of our supervised networks is trained on, and with which loss."""
