"""How much of every method's result is prior, and whether that warns of errors: analyses of a run with --reliance."""
