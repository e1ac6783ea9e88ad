"""A trigger as a Prefect flow, its hooks, and the reconciliation of missed runs."""
