"""The log: its closed set of lines (lines), the one writer (writer), and what libraries and faults say in it."""
