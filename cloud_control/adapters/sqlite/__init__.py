"""One machine's store: a SQLite file."""
