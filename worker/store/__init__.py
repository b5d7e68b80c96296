"""The database: tables, and one file of functions for each family of tables."""
