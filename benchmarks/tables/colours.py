"""Names of colour maps that all figures and pages share."""

PHI_COLOURS = "magma"
"""Of φ, from 0, the data, to 1, the prior."""
