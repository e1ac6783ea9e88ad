"""`sentinel silences`: create, preview, list, end."""
