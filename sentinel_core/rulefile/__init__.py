"""The rule file (prefect.yaml): read, and checked before anything is deployed.

source.py      bytes to deployments, with a line for every value; and how a problem is told
form.py        keys, types, names and schedules
parameters.py  what a deployment hands to its flow
check.py       all of it, with the flows loaded and Prefect asked
"""
