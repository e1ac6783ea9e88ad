"""What can be measured: one folder for each family, one file for each trigger."""
