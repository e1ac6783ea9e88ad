"""Warm processes for many small runs: a fork server forks children; each serves one run at a time.

    worker.py ── pool.py ──socket── fork_server.py ──fork, socket── child.py ── run_job.py (Prefect)

Only run_job.py knows Prefect; nothing here knows rules, the store or notifications.
"""
