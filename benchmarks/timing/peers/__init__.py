"""Rows and metrics against other people's code for the same thing: `python -m benchmarks time peers`.

    race.py       what is raced: sizes, our call, the peers' calls, and how good a result is
    found.py      which races there are: every file of `races/`
    restoring.py, scoring.py    what the races of rows, and of metrics, share
    alone.py      the settings of a process that times
    clock.py      both sides in turn on one thread; the seconds that kernels took to compile
    runner.py     races → lines of a table
    outputs.py    peers.csv, peers.json, peers.md
    figure.py     peers.svg and peers.png

A race is an entry of the tuple `RACES` of a file of `races/`; no list is kept. Peers are imported when they are raced,
and the extra `peers` installs those that the suite does not need itself.
"""
