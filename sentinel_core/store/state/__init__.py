"""What one transaction reads and locks."""
