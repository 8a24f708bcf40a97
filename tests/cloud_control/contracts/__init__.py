"""One suite for each port: every adapter passes the same tests."""
