"""Texts on their way out: handed in, judged, sent, reported; and what recipients answer."""
