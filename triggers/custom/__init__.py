"""Triggers that rule authors write themselves: a query, a script."""
