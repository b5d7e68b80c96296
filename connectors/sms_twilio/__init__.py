"""Twilio, text messages."""
