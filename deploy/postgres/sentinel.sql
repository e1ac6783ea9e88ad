-- Run once, when the volume is new: the event store beside Prefect's own database.
CREATE DATABASE sentinel;
