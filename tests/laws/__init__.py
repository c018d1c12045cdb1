"""The laws of sessions.md 7: properties over random spans, orders, batches and repetitions, measured against the oracle.

`SOJOURN_LAWS=2000 pytest tests/laws` tries 2000 examples of each law; a failing one prints how to play it again.
"""
