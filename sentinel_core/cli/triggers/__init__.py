"""`sentinel triggers`: list, show."""
