"""How a batch can end but well."""


class SomeFailed(Exception):
    """The batch is through, and some clips failed: exit status 3. The message is one line."""
