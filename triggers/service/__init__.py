"""HTTP services and Prefect deployments."""
