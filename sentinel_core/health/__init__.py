"""The checks of an installation: each component reports findings. Writes and sends nothing.

One file for each component; `gather` runs them side by side, each with a time limit. Knows no
terminal and no page.
"""
