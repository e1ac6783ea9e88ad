"""Warm processes for many small runs: a fork server forks children; each serves one run at a time.

    pool.py ── handle.py ──socket── fork_server.py ──fork, socket── child.py ── run_job.py
     in the worker's process           one per kind of run            one per run at a time

Only run_job.py and prefect_internals.py know Prefect; nothing here knows rules, the store or
notifications.
"""
