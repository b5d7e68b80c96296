"""Vonage's Messages API, text messages."""
