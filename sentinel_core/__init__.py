"""Sentinel: memory and judgement for alerts that run on Prefect."""
