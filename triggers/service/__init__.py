"""What other programs offer: HTTP services and Prefect deployments."""
