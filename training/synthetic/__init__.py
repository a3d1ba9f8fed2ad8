"""The synthetic face engine: every picture random, everything labelled, everything from a seed.

One file per ingredient; ``sample.py`` puts them together; ``generate.py`` writes them to disk.
"""
