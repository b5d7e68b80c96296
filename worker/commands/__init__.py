"""The commands of ``sluicegate``, one module each (worker/cli.py lists them)."""
