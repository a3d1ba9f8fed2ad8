"""Types of arguments that several verbs share."""

from __future__ import annotations

import argparse


def scale(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 1:  # nan, too
        raise argparse.ArgumentTypeError(f"{text} is no scale from 0.01 to 1")
    return number


def positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return number
