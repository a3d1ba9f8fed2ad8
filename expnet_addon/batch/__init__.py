"""``expnet batch``: unattended processing of every clip of a folder to a keyed scene.

shots.py        finds the clips and names their files
settings.py     the settings of each shot
records.py      the outcome of each shot, written last, so that a second call continues after the last finished shot
serve.py        a process that does shots, one after the other
lanes.py        several such processes in parallel on this machine
ray_cluster.py  shots on a Ray cluster
report.py       report.html
"""
