"""The worker type `sentinel`: Prefect's worker over warm processes (docs/worker.md)."""
