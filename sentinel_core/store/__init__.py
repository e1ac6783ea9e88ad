"""The event store: tables, transactions and queries over an engine it is given. Decides nothing.

db/      engine, tables, schema, migrations
state/   the reads and locks of one transaction
outbox/  notifications: enqueue, group, claim, settle; storms; the health of channels
record/  the only writers: runs, people's actions, silences
read/    queries for people
"""
