"""The HTTP API for programs: health, metrics, events and rules, and what people change in them."""
