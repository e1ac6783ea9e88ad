"""The pages. Read events and rules, and acknowledge, without Prefect or SQL; decide nothing."""
