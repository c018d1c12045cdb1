"""What sessions must come out, said a second time in the plainest Python: an oracle that shares no code with the product.

`reading` turns OTLP spans into `facts` and `records` log records, with `values`, `identity`, `telling` and `describing`; `binding` says
which session they belong to, `calls` what is counted within a trace, `rows` makes rows of traces and log traces, `cutting` finds segments
and turns, and `sessions` makes rows of sessions. Written to be compared with the specification sentence by sentence: a comment such as
"3.2" names the section that a line follows, and what was decided where it is silent stands at the head of the module that does it.
"""

from tests.oracle.cutting import Rules
from tests.oracle.facts import Fact
from tests.oracle.reading import read_request
from tests.oracle.records import Record, read_logs
from tests.oracle.rows import World, trace_rows, world
from tests.oracle.sessions import sessions_of

__all__ = ["Fact", "Record", "Rules", "World", "read_logs", "read_request", "sessions_of", "trace_rows", "world"]
