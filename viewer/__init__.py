"""The blotter. Reads and acknowledges; knows no Prefect, no SQL, and decides nothing."""
