"""Warm processes for many small runs: a template forks children, a child serves one run at a time.

    worker.py ── crew.py ──socket── template.py ──fork, socket── child.py ── engine.py (Prefect)

Only engine.py knows Prefect; nothing here knows rules, the store or notifications.
"""
