"""The native core: sockets and wire format, seen from Python. Nothing in it knows of pipelines; nothing in Python knows of sockets."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final

import numpy.typing as npt
from typing_extensions import Buffer

_Numbers = Buffer | npt.NDArray[Any]  # numpy's stubs tell of the buffer protocol from Python 3.12 on only

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@final
class Clock:
    """Nanoseconds since 1970: the system's clock, or one that is set by hand."""

    def __new__(cls, fixed: int | None = None) -> Clock: ...
    def now(self) -> int: ...
    def set(self, now: int) -> None:
        """Set a fixed clock. ValueError for the system's clock."""

@final
class Texts:
    """Texts by their 64-bit keyed hash, bounded: two generations of at most `budget` bytes together; what is not used is forgotten.

    Shared by decoding threads and Python; the key is random per process, so a hash means nothing outside of it.
    """

    def __new__(cls, budget: int) -> Texts: ...
    def intern(self, array: _ArrowArray) -> bytes:
        """Hashes (little-endian uint64, one per value, 0 for '' and null) of a utf8, large_utf8 or dictionary<utf8> array.

        The texts are kept."""

    def lookup(self, hashes: Buffer) -> _ArrowArray:
        """The texts of little-endian uint64 hashes as a utf8 array: '' for 0, null for what was forgotten. Marks them as used."""

    def keys(self, hashes: Buffer) -> _ArrowArray:
        """Hashes of sessions (of tenant \\0 project \\0 id) as a RecordBatch Tenant, Project, SessionId; null for what was forgotten."""

    def size(self) -> int:
        """Bytes held."""

@final
class Delivery:
    """One group: what has to be stored together. Exactly one of commit() and refuse() must be called."""

    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int:
        """Bytes of the requests as received, after decompression."""

    @property
    def oldest(self) -> int:
        """Arrival of the oldest request, ns since 1970."""

    def traces(self) -> _ArrowArray | None:
        """The spans as a RecordBatch in the columns of `schema.OTEL_TRACES` (all but Collector) plus the `_` columns below; None if none.

        TraceId is a dictionary<uint32, utf8> whose indices are `_fact.trace`. `_fact` is fixed_size_binary(192) (schema.FACT), `_facets` is
        list<fixed_size_binary(24)> (schema.FACET), `_total_tokens` is int64 (what the producer reports as total, -1 if it does not).
        Kind, Provider, the token columns and CostPico hold what the wire says; the session and aggregate processors settle them.
        May be called once.
        """

    def logs(self) -> _ArrowArray | None:
        """The log records as a RecordBatch in the columns of `schema.OTEL_LOGS` (all but Collector); None if none. May be called once.

        Beside them `_fact`, `_facets` and `_total_tokens` as for spans, and `_trace`, a dictionary<uint32, utf8> whose indices are
        `_fact.trace`: the TraceId, else the LogTrace, else ''. Digest is unkeyed, the same in every process.

        A LogTrace is the xxh3-128, in hex, of tenant \\0 project \\0 session id \\0 service \\0 minutes since 1970 in decimal.
        """

    def metrics(self) -> dict[str, _ArrowArray]:
        """The metric points by table, each in the columns of its table in `schema.OTEL_METRICS` (all but Collector); tables without rows
        are left out. May be called once."""

    def raw(self) -> list[tuple[str, builtins.bytes]]:
        """(signal, serialised request) of every request, for lanes made with raw=True."""

    @property
    def logged(self) -> bool:
        """Whether (some of) its requests are in a log: their senders have been answered."""

    @property
    def replayed(self) -> bool:
        """Whether an earlier process wrote it into the log, and may have begun to store it."""

    def token(self, patience: float) -> str | None:
        """What the inserts of this group are told apart by: the same after a restart. None if it is in no log.

        Waits at most `patience` seconds until the log has written that this is a group."""

    def commit(self) -> None:
        """Everything is stored: senders that wait are answered with success."""

    def refuse(self, message: str, retry_after: float | None) -> None:
        """Senders that wait are told 'never' (None) or 'later' (seconds).

        After 'later' a log keeps this group, and all that follow, for the next start; after 'never' it is settled."""

@final
class Log:
    """The write-ahead log of a lane: requests as they were received, in a directory that belongs to it."""

    def __new__(cls, path: str, max_size: int) -> Log:
        """Reads what is in it. OSError if the directory cannot be written, ValueError if a later version wrote it."""

    def move_to(self, lanes: dict[str, list[Lane]]) -> int:
        """Hand everything that was found to the lanes of its signal. Gives how many requests stay, since nobody takes them, or not now."""

    def report(self) -> dict[str, int]:
        """What was found: requests and bytes that are not stored, requests that are damaged, and unfinished: of a last write that was
        not completed, or is damaged."""

    def failing(self) -> str | None:
        """What the system says, while the log cannot be written."""

    def stats(self) -> dict[str, float]:
        """Samples for /metrics by name."""

    def close(self) -> None:
        """Write what is left. Nothing can be added any more."""

@final
class Lane:
    """A bounded queue of decoded requests that is cut into groups.

    A request is decoded when it arrives, into the columns of the group that is being gathered; a bad one leaves no trace in it. When the
    group in the making and those not yet committed hold `queue_bytes`, senders are told 'later'.
    """

    def __new__(
        cls,
        *,
        texts: Texts | None,
        lift: str,
        flush_interval: float,
        flush_rows: int,
        flush_bytes: int,
        queue_bytes: int,
        decode: bool = True,
        raw: bool = False,
        log: Log | None = None,
        redact: str | None = None,
    ) -> Lane:
        """`lift` is the JSON of `sessions.attributes.lift_plan()`, `redact` a plan as for redact(). `flush_interval` in seconds.

        With a log, what it has from an earlier process comes first."""

    def next(self, timeout: float) -> Delivery | None:
        """Wait at most `timeout` seconds for a group: flush_rows or flush_bytes are reached, or flush_interval
        has passed since its first row."""

    def push(self, signal: str, body: bytes | bytearray, content_type: str, arrival: int, tenant: str = "", durable: bool = False) -> None:
        """Take a request of a tenant in-process, as if it had been received (tests, receivers in Python). `durable`: return once it is in
        the log.

        ValueError if it is bad, BlockingIOError if the lane is full."""

    def flush(self) -> None:
        """Cut the group that is being gathered now; next() returns it at once."""

    def wake(self) -> None:
        """Let next() return None at once, or the next time it is called: whoever waits for a group has something else to do."""

    def close(self) -> None:
        """No more requests are taken; next() returns what is left and then None at once."""

    def stats(self) -> dict[str, float]:
        """queued_bytes, queued_rows, capacity_bytes; behind: 1 if there is more in the log."""

@final
class Shelf:
    """Packed rows of recently touched traces, by 24-byte keys: two generations of at most `budget` bytes together, dropped whole."""

    def __new__(cls, budget: int) -> Shelf: ...
    def get(self, keys: bytes) -> tuple[bytes, bytes, bytearray, bytes, bytearray]:
        """Of each key: its tag (uint64), the size of its rows in bytes (int64, -1 if it is not here); the rows; the size of its facets
        (int64); the facets. Changes nothing."""

    def put(
        self, keys: bytes, tags: _Numbers, row_sizes: _Numbers, rows: _ArrowArray, facet_sizes: _Numbers, facets: _ArrowArray, stamp: int
    ) -> tuple[bytes, int] | None:
        """Keep these where they are (fixed_size_binary); tags are uint64, sizes int64 in bytes. Gives the keys that were forgotten for it
        and the greatest stamp they came with, None if none was."""

    def drop(self, keys: bytes) -> None:
        """Forget these."""

    def size(self) -> int:
        """Bytes held."""

@final
class Slots:
    """Live sessions by the hash of their key: a slot for each (a number ≥ 0, given out again when it is free), its name, its rows.

    `slots` are int64; -1 stands for a session that has none, and has no rows. Names are records of Tenant, Project, SessionId (utf8).
    """

    def find(self, keys: _Numbers) -> bytes:
        """The slot of each key (uint64), -1 for those that are not here."""

    def add(self, keys: _Numbers, names: _ArrowArray) -> bytes:
        """Slots for these sessions: the ones they have, else new ones."""

    def forget(self, slots: _Numbers) -> None:
        """Free these slots."""

    def rows(self, slots: _Numbers) -> tuple[bytes, bytes, bytes, bytes]:
        """The size of each session's rows in bytes (int64), the rows, the size of its facets, the facets."""

    def keep(self, slots: _Numbers, row_sizes: _Numbers, rows: bytes, facet_sizes: _Numbers, facets: bytes) -> None:
        """Replace the rows and facets of these sessions."""

    def names(self, slots: _Numbers, told: _ArrowArray, rows: _Numbers) -> _ArrowArray:
        """The name of each session; for slot -1 the one that row `rows[i]` of `told` tells."""

    def __len__(self) -> int: ...

@final
class Keyring:
    """Who may come in: credentials, kept as digests, each with its tenant and scopes. Compared in a time that tells nothing about them."""

    def __new__(cls, scheme: str) -> Keyring:
        """`scheme` is bearer or basic."""

    @property
    def challenge(self) -> str:
        """What `WWW-Authenticate` says to whoever presents none."""

    def replace(self, credentials: Sequence[tuple[builtins.bytes, str, Sequence[str]]]) -> None:
        """From now on these are known and no others: SHA-256 of the token, or of `user:password`; tenant; scopes (write, read, admin)."""

    def identify(self, authorization: builtins.bytes) -> tuple[str, list[str]] | None:
        """Tenant and scopes of whoever presents this value of the header `Authorization`; an admin has all scopes. None for a stranger."""

@final
class Server:
    """OTLP over gRPC and HTTP. Binds in the constructor, so that 'address in use' is an OSError here."""

    def __new__(cls, settings: str, lanes: Mapping[str, Sequence[Lane]], clock: Clock, auth: Mapping[str, Keyring] = ...) -> Server:
        """`settings` is JSON; what is left out has its default:

        {"grpc": {"endpoint": "127.0.0.1:4317", "max_request_bytes",
                  "tls": {"cert_file", "key_file", "client_ca_file", "min_version": "1.2" | "1.3"} | null} | null,
         "http": {"endpoint", "max_request_bytes", "tls", "paths": {"traces": [...], "logs", "metrics"},
                  "cors": {"allowed_origins": [...], "allowed_headers", "exposed_headers", "max_age"} | null} | null,
         "acknowledge": "received" | "durable" | "committed", "max_request_bytes": int, "workers": int,
         "limits": {"max_connections", "max_concurrent_streams", "read_header_timeout", "read_timeout", "idle_timeout"}}

        `auth` by port, grpc or http: who may send there; whose tenant it is, is known from the credential. Without it anybody may.
        `lanes` by signal: traces, logs, metrics; a signal without lanes is answered with a partial success that says it is not stored.
        ValueError for wrong settings, OSError (errno, and the endpoint as filename) if it cannot listen, or (without a filename) if the
        files of TLS cannot be used.
        """

    @property
    def grpc(self) -> str | None:
        """host:port that is listened on."""

    @property
    def http(self) -> str | None: ...
    def reload_tls(self) -> None:
        """Read certificates and keys again, for the connections from now on. OSError, and all stays as it was, if they cannot be used."""

    def stop(self, timeout: float) -> None:
        """Take no new connections or requests; wait at most `timeout` seconds for the open ones."""

    def stats(self) -> dict[str, float]:
        """Prometheus samples: `name{label="value",...}` → value: requests, items taken and refused, bytes, latencies."""

def encode_native(records: _ArrowArray, columns: Sequence[tuple[str, str]], compress: bool) -> bytes:
    """One ClickHouse block in format Native of the columns (name, ClickHouse type), as an LZ4 frame if `compress`.

    ValueError if a column is missing or its Arrow type does not fit the ClickHouse type.
    """

def facts(records: _ArrowArray, texts: Texts) -> _ArrowArray:
    """Stored rows of `otel_traces` or `otel_logs` (columns by name) → RecordBatch with `_fact` and `_facets`, bit for bit what decoding
    gave, but for `trace` (index of the row's trace id, else log trace, in order of first appearance)."""

def arrange(
    trace: _Numbers, span: _Numbers, parent: _Numbers, end: _Numbers, digest: _Numbers, bits: int
) -> tuple[bytes, bytes, bytes, bytes]:
    """Copies of spans → one row per (trace, span), the greatest (end, digest), of equal ones the first; and the trees they form.

    Columns of one length: uint32, then uint64. Gives int64: the kept rows sorted by trace, scrambled span id (`bits`) and span id,
    the position of each trace's first row, each row's parent (-1 for none; cycles are cut at their least span id), the rows that were cut.
    """

def only_below(up: _Numbers, marked: _Numbers) -> bytes:
    """Per row the one leaf among the marked rows below it, -2 if there are several, -1 if there is none (int64).

    `up` (int64) are parents as arrange() gives them, `marked` (uint8) is not 0 for marked rows; a leaf has no marked row below it.
    """

def digest(data: Buffer) -> int:
    """The 64-bit content hash that is the lower half of Version (unkeyed, the same in every process)."""

def name_digests(names: _ArrowArray) -> bytes:
    """digest() of `tenant \\0 project \\0 session id` for each row of Tenant, Project, SessionId, as little-endian uint64."""

def pick_names(names: _ArrowArray, rows: _Numbers) -> _ArrowArray:
    """These rows (int64) of Tenant, Project, SessionId. IndexError if there is no such row."""

def redact(plan: str, signal: str, body: builtins.bytes) -> builtins.bytes:
    """A serialised request without what nobody may know, as a lane with this plan takes it.

    `plan` is JSON: {"signals": [...], "keys": [...], "patterns": [...], "replacement": "<masked>", "hash_key": ""}. ValueError for a plan
    that is wrong, and for bytes that are no request.
    """

def sift(
    signal: str, body: builtins.bytes, fates: Sequence[builtins.bytes], next: Sequence[int], wanted: int
) -> tuple[builtins.bytes, list[int]]:
    """A serialised request with those of its items alone whose fate is `wanted`, byte for byte, and empty if there are none.

    `fates` has a byte for every row of a group, by table (spans; records; points in the order of `schema.OTEL_METRICS`), and `next` the
    row of the request's first item in each; given back is that of the next request. ValueError for bytes that were not decoded into these
    rows.
    """

def searchable(ids: _ArrowArray, names: _ArrowArray, users: _ArrowArray, metadata: _ArrowArray) -> _ArrowArray:
    """What each session is found by, in lower case: its id, name and user (utf8), a line each, then `key=value` of its metadata
    (map<dictionary<int32, utf8>, utf8>), a line each. A null is empty."""

def version() -> str: ...
