"""Speed and size, measured: ``python -m expnet.benchmarks.NAME``, or all as one table with ``python3 dev.py bench``.

Each module here has ``measure() -> list[Measurement]`` and prints it when it is run; ``table.py`` runs them all.
What a module needs and cannot have (a GPU, a file that is not in the box) it leaves out.
"""
