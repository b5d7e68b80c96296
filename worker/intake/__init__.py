"""The socket side of a webhook: the application (app), what is admitted (admission), answers (replies), bounds (protocol)."""
