"""`sentinel channels`: list, set up, preview, send a test message."""
