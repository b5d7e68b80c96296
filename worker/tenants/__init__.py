"""Tenants: their files (file), their secrets (secrets), loaded whole or refused whole (loading), a new one (begin)."""
