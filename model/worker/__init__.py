"""The worker process: the protocol, which clients import, and the server loop with its handlers."""
