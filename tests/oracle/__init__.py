"""What sessions must come out, said a second time in the plainest Python: an oracle that shares no code with the product.

`reading` turns OTLP spans into facts, `calls` decides what is counted within a trace, `rows` makes trace, segment and session rows. Written
to be compared with the specification sentence by sentence: a comment such as "3.2" names the section that a line follows.
"""

from tests.oracle.reading import Fact, read_request
from tests.oracle.rows import Rules, sessions_of, trace_rows

__all__ = ["Fact", "Rules", "read_request", "sessions_of", "trace_rows"]
