"""The rule file (prefect.yaml): read, checked, and deployed.

source.py                the file's deployments, the lines of values, and problems
yaml_lines.py            YAML as values and as nodes with their lines
placeholders.py          Prefect's `{{ placeholders }}`
phrases.py               values, paths and suggestions in messages
load_flow.py             the flow of an entrypoint
check.py                 the whole check, with the flows loaded and Prefect asked
check_form.py            keys, types and names
check_schedules.py       schedules
check_parameters.py      what a deployment passes to its flow
check_channels.py        channels and their blocks
check_rule_templates.py  message templates
deploy/                  from a checked file to Prefect
"""
