"""Texts that are shown and never sent: for the demo."""
