"""A trigger as a Prefect flow, and what records its runs.

rule_flow.py     the flow of a trigger
history.py       the rule's past evaluations, for triggers that need them
outcome.py       the state a run ends in
hooks.py         records a run when it ends
reconcile.py     records the runs that no hook recorded
stuck.py         closes runs that outlived their timeout
silent.py        finds rules whose due runs are missing
housekeeping.py  the jobs of Sentinel's own flows
scheduled.py     these flows
"""
