"""The one exception that stands for a mistake of the user's, not of ours; and what an exception says."""


class InputError(ValueError):
    """Bad input: its message is one line that says what is wrong and what to do.

    Whoever talks to a person (the command line, an operator, the worker) catches this one,
    shows the line and nothing else. Every other exception is a fault of ours.
    """


def one_line(error: BaseException) -> str:
    """What an exception says, as one line: others' messages may have several, or none."""
    return " ".join(str(error).split()) or type(error).__name__
