"""What Prefect runs: one file for each family, one line for each trigger."""
