"""How old somebody says that they are, where that is under 13 (PP-8)."""
