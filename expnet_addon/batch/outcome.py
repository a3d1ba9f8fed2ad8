"""The exception of a batch in which clips failed."""


class SomeFailed(Exception):
    """The batch is finished, and some clips failed: exit status 3. The message is one line."""
