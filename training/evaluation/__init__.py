"""Evaluation: one file per section of docs/ACCURACY.md, all run by ``python -m expnet.training.evaluate``.

A section is a function ``measure(subject, *inputs) -> Section``. ``subject`` is the evaluated network with the held-out
faces (``subject.py``). The inputs are folders named on the command line. ``Section`` is in ``section.py``.
``evaluate.SECTIONS`` lists them.
"""
