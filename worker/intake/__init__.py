"""The socket side of a webhook: the application (app), what is admitted (admission), how it is answered (replies)."""
