"""From a checked rule file to Prefect: all of it or nothing.

plan.py     what would change; pure
compare.py  the file and what is deployed, in comparable form
apply.py    snapshot, deploy, put back, prune
run_prefect.py  Prefect's own command, in a process that does not outlive the deploy
"""
