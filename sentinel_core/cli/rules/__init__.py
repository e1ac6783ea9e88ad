"""`sentinel rules`: check, deploy, list, run, test, unittest, replay."""
