"""The worker process: its protocol, which clients import, and the loop and handlers that answer."""
