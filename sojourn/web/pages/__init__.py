"""The answers as HTML. What came from outside is escaped by the templates, and isolated where it may turn the writing direction."""

from sojourn.web.pages.frame import failure, logged_in, login, may_change, session_address, trace_address
from sojourn.web.pages.happened import alerts, events
from sojourn.web.pages.listing import sessions
from sojourn.web.pages.messages import messages
from sojourn.web.pages.metrics import metrics
from sojourn.web.pages.over_time import over_time
from sojourn.web.pages.queries import queries
from sojourn.web.pages.session import session
from sojourn.web.pages.trace import trace, tree

__all__ = [
    "alerts",
    "events",
    "failure",
    "logged_in",
    "login",
    "may_change",
    "messages",
    "metrics",
    "over_time",
    "queries",
    "session",
    "session_address",
    "sessions",
    "trace",
    "trace_address",
    "tree",
]
