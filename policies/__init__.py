"""The language of governance and the rules written in it: no I/O, no clock, no randomness, no logging."""
