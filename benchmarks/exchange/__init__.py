"""What goes out to other programs, to come back as a row."""
