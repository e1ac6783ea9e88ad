"""The event store: tables, transactions and queries over an engine it is given. Decides nothing.

db/      engine, tables, schema, migrations
state/   what one transaction reads and locks
outbox/  notifications: enqueue, group, claim, settle; storms; the health of channels
record/  the only writers: runs, people's actions, silences
read/    queries for people
"""
