"""How this process speaks to others: only to declared hosts, at vetted addresses, within bounds (PP-5)."""
