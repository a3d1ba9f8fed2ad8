"""The one exception that stands for a mistake of the user's, not of ours."""


class InputError(ValueError):
    """Bad input: its message is one line that says what is wrong and what to do.

    Whoever talks to a person (the command line, an operator, the worker) catches this one,
    shows the line and nothing else. Every other exception is a fault of ours.
    """
