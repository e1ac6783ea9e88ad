"""The blotter. Reads and acknowledges events, without Prefect or SQL; decides nothing."""
