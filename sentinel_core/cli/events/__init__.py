"""`sentinel events`: list, show, acknowledge, resolve."""
