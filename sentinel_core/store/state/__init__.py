"""The reads and locks of one transaction."""
