"""Rules about runs of our own flows."""

from sentinel_core import rule_flow
from triggers.pipelines.flow_run_failures import FlowRunFailures

flow_run_failures = rule_flow(FlowRunFailures)
