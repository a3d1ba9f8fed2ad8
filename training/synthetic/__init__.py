"""The synthetic face engine: random, fully labelled pictures, determined by a seed.

One file per ingredient; ``sample.py`` combines them; ``generate.py`` writes them to disk.
"""
