"""The laws of sessions: properties over random spans, orders, batches and repetitions, measured against the oracle.

`make laws` tries many more examples than `make test`; a failing one prints how to play it again.
"""
