"""Telnyx, text messages."""
