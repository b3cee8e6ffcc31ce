"""The HTML report of one or several runs: one file that opens without a network.

sources.py      which folders hold a run, and what is missing in them
merge.py        which runs may stand side by side, and which are refused
pictures.py     the images that a run kept, and how much of them fits
data.py         what the page's script draws from
matrix.py       the means of several settings side by side
notices.py      what is missing, and how to get it
page.py         all of it as one HTML file (templates/, static/)
site.py         static pages of many runs (entries.py, site_methods.py: what they are made of)
"""
