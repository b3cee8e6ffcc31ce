"""Run, measure, store, tabulate, plot, compare with the papers, time."""
