"""One request of the ClickHouse HTTP protocol: the query and all that travels beside it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Final
from urllib.parse import parse_qsl

from sojourn.web.clickhouse import compression
from sojourn.web.clickhouse.refusal import READONLY, SYNTAX_ERROR, Refused

MAX_BODY: Final = 16 * 1024 * 1024


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IGNORED: Final = _words(
    "user password quota_key role session_id session_timeout session_check session_close wait_end_of_query buffer_size decompress "
    "send_progress_in_http_headers http_headers_progress_interval_ms client_protocol_version log_comment log_queries max_query_size "
    "cancel_http_readonly_queries_on_client_close add_http_cors_header readonly http_write_exception_in_output_format "
    "http_response_buffer_size async_insert wait_for_async_insert insert_deduplicate"
)
LIMITS: Final = _words(
    "max_execution_time max_result_rows max_result_bytes max_rows_to_read max_bytes_to_read max_memory_usage max_threads"
)
"""Settings by which a client may take less than it is given, never more."""
_FREE: Final = _words(
    "date_time_output_format date_time_input_format session_timezone join_use_nulls extremes limit offset final union_default_mode "
    "cast_keep_nullable group_by_use_nulls aggregate_functions_null_for_empty prefer_column_name_to_alias max_block_size "
    "result_overflow_mode read_overflow_mode timeout_overflow_mode use_client_time_zone allow_experimental_object_type "
    "allow_experimental_json_type allow_experimental_variant_type allow_experimental_dynamic_type allow_experimental_analyzer"
)
_FREE_PREFIXES: Final = ("output_format_", "format_", "bool_", "optimize_", "enable_optimize_")
_FILES: Final = ("output_format_schema", "format_schema", "format_template", "format_display_secrets")
"""Beginnings of settings about formats that make the engine read or write files, or show passwords."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,100}")


@dataclass(slots=True)
class Query:
    sql: str = ""
    database: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    format: str = "TabSeparated"
    """The format where the statement names none."""
    protocol: int = 0
    """Revision of the native protocol that the client speaks, 0 if it does not say."""
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    encoding: str | None = None
    """Content-Encoding of the answer."""


def read(query_string: bytes, headers: Mapping[str, str], body: bytes) -> Query:
    """Raises Refused for what is not known or not allowed."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=1000)
        fields, rest = _body(headers, compression.unpack(body, headers.get("content-encoding", "").lower(), MAX_BODY))
        return _query([*pairs, *fields], headers, rest.decode())
    except ValueError as error:
        raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "The request is not UTF-8") from error


def _body(headers: Mapping[str, str], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """(fields of a form, the body if it is none)."""
    content_type = headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return list(_parts(content_type, body)), b""
    if kind == "application/x-www-form-urlencoded" and body.startswith((b"query=", b"param_")):  # curl names this kind whatever it sends
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict"), b""
    return [], body


def _parts(content_type: str, body: bytes) -> Iterable[tuple[str, str]]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "The form cannot be read")
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None:
            raise Refused(READONLY, "READONLY", "External tables are not taken here")
        if isinstance(name, str):
            payload = part.get_payload(decode=True)
            yield name, payload.decode() if isinstance(payload, bytes) else ""


def _query(pairs: Iterable[tuple[str, str]], headers: Mapping[str, str], body: str) -> Query:
    query = Query(database=headers.get("x-clickhouse-database", ""))
    text, compress = "", False
    for name, value in pairs:
        if name == "query":
            text += value
        elif name == "database":
            query.database = value
        elif name in ("default_format", "query_id"):
            if value:  # empty as good as absent: clickhouse-connect inserts with an empty query_id
                setattr(query, "format" if name == "default_format" else name, _word(name, value))
        elif name == "client_protocol_version" and value.isascii() and value.isdigit():
            query.protocol = int(value[:9])
        elif name == "enable_http_compression":
            compress = value in ("1", "true")
        else:
            _setting(query, name, value)
    if "x-clickhouse-format" in headers:
        query.format = _word("X-ClickHouse-Format", headers["x-clickhouse-format"])
    query.encoding = compression.choose(headers.get("accept-encoding", "")) if compress else None
    query.sql = f"{text}\n{body}".strip() if text and body else (text or body).strip()
    return query


def _word(name: str, value: str) -> str:
    if not re.fullmatch(r"[\w.:-]{1,200}", value, re.ASCII):
        raise Refused(36, "BAD_ARGUMENTS", f"{name} is not one word")
    return value


def _setting(query: Query, name: str, value: str) -> None:
    if name.startswith("param_"):
        query.parameters[name.removeprefix("param_")] = value
    elif name == "compress" and value not in ("", "0"):
        raise Refused(48, "NOT_IMPLEMENTED", "compress=1 is not done here: use enable_http_compression=1 and Accept-Encoding")
    elif name in _IGNORED or name == "compress":
        return
    elif name in LIMITS:
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise Refused(72, "CANNOT_PARSE_NUMBER", f"{name} is not a whole number")
        query.limits[name] = int(value)
    elif _NAME.fullmatch(name) and (name in _FREE or name.startswith(_FREE_PREFIXES)) and not name.startswith(_FILES):
        query.settings[name] = value
    else:
        raise Refused(READONLY, "READONLY", f"Cannot modify '{name[:100]}' setting in readonly mode")
