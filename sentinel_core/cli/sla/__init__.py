"""`sentinel sla`: deploy, list and remove the rules that watch the `sla` lists of prefect.yaml."""
