"""What the people who write rules bring themselves: a query, a script."""
