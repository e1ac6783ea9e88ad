"""The rule file (prefect.yaml): read, checked, and deployed.

source.py             bytes to deployments, with a line for every value; and how a problem is told
check_form.py         keys, types, names and schedules
check_parameters.py   what a deployment hands to its flow
check_channels.py     channels that blocks exist for
check_rule_templates.py  message templates
check.py              all of it, with the flows loaded and Prefect asked
deploy/               from a checked file to Prefect
"""
