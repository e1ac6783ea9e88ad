"""The only writers: runs, people's actions, silences."""
