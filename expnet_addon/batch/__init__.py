"""``expnet batch``: every clip of a folder to a keyed scene, overnight and unattended.

shots.py        which clips there are, and how their files are called
settings.py     how each of them is animated
records.py      what became of each: written last, so that a second call goes on where the first was stopped
serve.py        one process that does shots, one after the other
lanes.py        several of them side by side on this machine
ray_cluster.py  the same on a Ray cluster
report.py       report.html
"""
