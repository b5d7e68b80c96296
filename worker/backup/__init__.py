"""Backups, what is told again when one is restored, and the master key: exchanged, split."""
