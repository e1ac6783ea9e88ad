"""Rules about numbers from anywhere."""

from sentinel_core import rule_flow
from triggers.metric.metric_threshold import MetricThreshold

metric_threshold = rule_flow(MetricThreshold)
