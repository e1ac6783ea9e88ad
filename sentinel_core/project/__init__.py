"""A team's own project (`sentinel init`): its template, and the merge into an existing one.

Changes no line that exists. Reads and writes files only: imports no Prefect and no store.
"""
