"""Self-audit: what must never be kept is sent through the worker itself, and looked for where it could have stayed."""
