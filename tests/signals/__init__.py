"""Log records and metric points beside spans: what they say, told as stories that can be checked by hand.

`telling` has the words, `agents` two command-line agents that cannot be run here, `stories` the situations with what must come out.
"""
