"""The event store: transactions and queries over an engine it is given. No decisions here.

engine.py     opening a database and the two kinds of transaction
rules.py      rule deployments as last seen, and how far reconcile has come
recording.py  one run, recorded once, in one transaction
known.py      what that transaction reads first
rows.py       what it writes, as rows (pure)
filters.py    which events, in which order: conditions the indexes can answer (pure)
events.py     what people read
acknowledging.py  exactly the events named, each with an audit entry
outbox.py     messages owed to channels
"""
