"""Reconciliation: platforms are asked what no webhook tells, and what they say goes the way of every event: through the ledger."""
