"""Benchmarks of speed and size: ``python -m expnet.benchmarks.NAME``, or all with ``python3 dev.py bench``.

Each module here has ``measure() -> list[Measurement]`` and prints it when run; ``table.py`` runs them all. A module
skips measurements whose inputs are not available (a GPU, a file that is not shipped).
"""
