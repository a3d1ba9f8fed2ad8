"""Measurements that the README states, each a command: ``python -m expnet.benchmarks.NAME``."""
