"""Brings what waits in spools and folders to a server, and deletes it once it is there."""
