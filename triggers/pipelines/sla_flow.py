"""The flow of the rules that `sentinel sla deploy` makes.

They name it as a module, because a project may have a flows/pipelines.py of its own.
"""

from sentinel_core import rule_flow
from triggers.pipelines.prefect_sla import PrefectSla

prefect_sla = rule_flow(PrefectSla)
