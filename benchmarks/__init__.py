"""Speed and size, measured: ``python -m expnet.benchmarks.NAME``, or all as one table with ``python3 dev.py bench``.

Each module here has ``measure() -> list[Measurement]`` and prints it when it is run; ``table.py`` collects them. A module
may print more when run alone; what it needs and cannot have (footage, bpy) it leaves out.
"""
