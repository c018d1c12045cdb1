"""Rows back into the requests that they came in: what is sent on when processors dropped some rows or changed them."""
