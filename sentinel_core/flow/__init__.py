"""A trigger as a Prefect flow, and what records its runs.

rule_flow.py     the flow of a trigger
history.py       the rule's past, for triggers that ask for it
outcome.py       the state a run ends in
hooks.py         records a run when it ends
reconcile.py     records the runs that no hook recorded
stuck.py         closes runs that outlived their timeout
silent.py        finds rules whose runs do not come
housekeeping.py  what Sentinel's own flows do
"""
