"""The tables of the field's papers, cell by cell, against the committed runs of the suite."""
