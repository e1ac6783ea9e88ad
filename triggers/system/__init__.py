"""The machine a check runs on."""
