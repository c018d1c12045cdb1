"""The database: embedded or a server, its tables and what is read back."""
