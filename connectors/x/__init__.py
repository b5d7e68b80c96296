"""X: the Account Activity and X Activity webhooks."""
