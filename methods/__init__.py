"""Every competitor behind one interface."""
