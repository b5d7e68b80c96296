"""Retention: content goes at its ceiling, records after the floor, a tenant with its agreement."""
