"""`sentinel demo`: a whole Sentinel for some minutes, fed with recorded quotes of 2012 and 2013.

recording.py  the recorded quotes, and how far the feed has come
page.py       a loopback server: the feed, and a page that stands where Slack stands
project.py    the rule file of the demo
system.py     its own Prefect server, store, worker and blotter, in a folder of their own
story.py      what happened, in lines for the terminal
replay.py     a day of quotes after another, and the rules that are checked after each
quotes.csv    daily closes and volumes of three stocks: facts, taken from a public data set

Everything runs beside a real Sentinel and touches nothing of it: no store, no Prefect, no settings.
"""
