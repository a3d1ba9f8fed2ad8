"""The worker process: what can be asked of it, and the loop that answers. Nothing else imports it."""
