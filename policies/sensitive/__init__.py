"""What people say of themselves that is nobody else's business (PP-4): marked by category, withheld without consent."""
