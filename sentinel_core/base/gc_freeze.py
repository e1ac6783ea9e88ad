"""Takes what is imported out of the garbage collector's sight, in a process that serves one run.

Importing allocates much and frees nothing, and each full collection it sets off walks all of
Prefect's objects: 80 ms of a run's CPU time, measured. Frozen objects are not walked again.
Prefect names the run of such a process in PREFECT__FLOW_RUN_ID. Any other process that imports
Sentinel keeps its garbage collector as it is.
"""

import gc
import os

if os.environ.get("PREFECT__FLOW_RUN_ID"):
    gc.freeze()
