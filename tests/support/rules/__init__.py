"""Rules for tests, used as Prefect entrypoints."""
