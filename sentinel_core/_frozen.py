"""Imported first where a run's process imports our code: sets what is there aside for good.

Importing allocates much and frees nothing, and each full collection it sets off walks all of
Prefect's objects: 80 ms of a run's CPU time, measured. Frozen objects are not walked again.
"""

import gc

gc.freeze()
