"""Whether what was acknowledged is stored exactly once, whatever is killed, cut or filled up in between."""
