"""The event store: transactions and queries over an engine it is given. No decisions here.

engine.py     opening a database and the two kinds of transaction
rules.py      rule deployments as last seen, and how far reconcile has come
recording.py  one run, recorded once, in one transaction
known.py      what that transaction reads first
muting.py     silences and rules that inhibit others, as they stand at that moment
rows.py       what it writes, as rows (pure)
releasing.py  what was held back, told once nothing mutes it
filters.py    which events, in which order: conditions the indexes can answer (pure)
events.py     what people read
acknowledging.py  exactly the events named, each with an audit entry; and taken back
handling.py   ended by hand, commented, assigned, sorted by what they turned out to be
silences.py   made, ended, listed, and tried out before they are made
audit.py      who, which rows, and the entry in the audit: what those three share
outbox.py     messages owed to channels
"""
