"""Prefect's API objects: the client, and facts about flow runs and deployments read from it."""
