"""The HTTP API: the health, the metrics, the events and the rules, for programs. Only reads."""
