"""The ClickHouse HTTP protocol: what clients of ClickHouse rely on, and that nothing but reading is done."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, Error

from sojourn.cli import main
from sojourn.config.types import Endpoint
from sojourn.storage.database import Database
from sojourn.web.clickhouse_http import ClickhouseHttp
from sojourn.web.parameters import snake_case
from tests.web.conftest import Service, Store, fresh_database, trace_row


@pytest.fixture(scope="module")
def filled(chdb_path: Path) -> Iterator[Database]:
    with fresh_database(chdb_path) as database:
        Store(database).sessions({"session_id": "a", "Metadata": {"k": "v"}, "CostPico": 5}, {"session_id": "b", "Tags": ["x", "y"]})
        yield database


@pytest.fixture(scope="module")
def address(filled: Database) -> Iterator[str]:
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0), max_result_rows=1_000_000).open(Service(filled)) as listening:
        yield listening.endpoints["clickhouse_http"]


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}") as client:
        yield client


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    host, port = address.split(":")
    with clickhouse_connect.get_client(host=host, port=int(port), username="default", password="anything") as client:
        yield client


def test_the_first_answers(http: httpx.Client) -> None:
    """What load balancers and clients ask before anything else."""
    for path in ("/ping", "/replicas_status", "/"):
        answer = http.get(path)
        assert (answer.status_code, answer.text) == (200, "Ok.\n")
    assert http.get("/play").status_code == 404
    assert http.delete("/").status_code == 501


def test_clickhouse_connect(client: Client) -> None:
    """Rows, parameters, Arrow, data frames, commands and streams, as from a server."""
    rows = client.query("SELECT SessionId, Cost, Metadata, Tags FROM sessions ORDER BY SessionId").result_rows
    assert [row[0] for row in rows] == ["a", "b"]
    assert str(rows[0][1]) == "5E-12"
    assert rows[0][2] == {"k": "v"}
    assert rows[1][3] == ["x", "y"]
    hostile = "it's\\ \t\n\u202e<x>"
    assert client.query("SELECT {x:String}, {n:Array(String)}", parameters={"x": hostile, "n": [hostile, ""]}).first_row == (
        hostile,
        [hostile, ""],
    )
    assert client.query_arrow("SELECT SessionId FROM sessions ORDER BY SessionId").column(0).to_pylist() == ["a", "b"]
    assert client.query_df("SELECT SessionId FROM sessions ORDER BY SessionId")["SessionId"].to_list() == ["a", "b"]
    assert client.command("SELECT count() FROM sessions") == 2
    assert client.command("EXISTS sessions") == 1
    assert "sessions" in client.query("SHOW TABLES").result_columns[0]
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
        assert sum(len(block) for block in blocks) == 300_000


@pytest.mark.parametrize("form", ["query_np", "query_df", "query_arrow", "query_df_arrow"])
def test_every_form_of_clickhouse_connect(client: Client, form: str) -> None:
    """Each gives every column of what we hand out, whole and as a stream."""
    assert len(getattr(client, form)("SELECT * FROM sessions")) == 2
    with getattr(client, f"{form}_stream")("SELECT number, toString(number) AS text FROM numbers(200000)") as parts:
        assert sum(len(part) for part in parts) == 200_000


def test_streams_of_clickhouse_connect(client: Client) -> None:
    """Rows, columns and bytes, in parts; an error behind the first rows is one, and not an end."""
    with client.query_rows_stream("SELECT number FROM numbers(200000)") as rows:
        assert sum(1 for _ in rows) == 200_000
    with client.query_column_block_stream("SELECT number FROM numbers(200000)") as blocks:
        assert sum(len(block[0]) for block in blocks) == 200_000
    assert b"".join(client.raw_stream("SELECT number FROM numbers(200000)", fmt="CSV")).count(b"\n") == 200_000
    with (
        pytest.raises(Error, match="throwIf"),
        client.query_rows_stream("SELECT throwIf(number = 190000) FROM numbers(200000)") as rows,
    ):
        assert sum(1 for _ in rows) < 200_000


def test_previews_are_looked_up(store: Store, web: httpx.Client, database: Database) -> None:
    """The views' dictionary answers a read-only connection as well, and agrees with the API."""
    store.sessions({"session_id": "s", "FirstTrace": "a" * 32, "LastTrace": "b" * 32})
    store.insert("session_trace_rows", trace_row("a" * 32, Input="hello?", Output="1"), trace_row("b" * 32, Input="2", Output="bye"))
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening:
        address = f"http://{listening.endpoints['clickhouse_http']}/"
        assert httpx.post(address, content="SELECT FirstInput, LastOutput FROM sessions").text == "hello?\tbye\n"
        everything = httpx.post(address, content="SELECT * FROM sessions FORMAT JSONEachRow").json()
        assert everything["SessionId"] == "s"
    session = web.get("/sessions.json").json()["sessions"][0]
    assert (session["first_input"], session["last_output"]) == ("hello?", "bye")


def test_sql_the_api_and_the_terminal_agree(
    store: Store, web: httpx.Client, database: Database, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Every column of every session, to the last digit."""
    numbers: dict[str, object] = {"InputTokens": 2**63 - 3, "OutputTokens": 1, "TurnP95Ns": 2**64 - 1, "Spans": 2**53 + 1}
    store.sessions(
        *({"session_id": f"s{i}", "CostPico": 10**18 + 7 * i, "start": 0.123456789, "Tags": ["b", "a"], **numbers} for i in range(5))
    )
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening:
        asked = {"date_time_output_format": "iso", "output_format_json_quote_64bit_integers": "0", "output_format_json_quote_decimals": "1"}
        sql = "SELECT * FROM sessions ORDER BY SessionId FORMAT JSONEachRow"
        answer = httpx.post(f"http://{listening.endpoints['clickhouse_http']}/", content=sql, params=asked)
    rows = [{snake_case(name): value for name, value in json.loads(line).items()} for line in answer.text.splitlines()]
    listed = web.get("/sessions.json", params={"sort": "start"}).json()["sessions"]
    assert main(["sessions", "list", "--json", "--sort", "start", "--endpoint", str(web.base_url)]) == 0
    assert rows == listed == json.loads(capsysbinary.readouterr().out)["sessions"]
    assert listed[4]["cost"] == "1000000.000000000028"


def test_no_rows_still_have_columns(client: Client) -> None:
    """The engine sends nothing for an empty result; clients need its columns."""
    empty = client.query("SELECT SessionId, Cost FROM sessions WHERE SessionId = {x:String} -- none", parameters={"x": "n'\n"})
    assert empty.column_names == ("SessionId", "Cost")
    assert [kind.name for kind in empty.column_types] == ["String", "Nullable(Decimal(38, 12))"]
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    assert client.query_arrow("SELECT SessionId FROM sessions WHERE 0").column_names == ["SessionId"]


@pytest.mark.parametrize(
    "form", ["JSON", "JSONEachRow", "TabSeparatedWithNames", "CSV", "Arrow", "Parquet", "RowBinary", "Native", "Pretty"]
)
def test_formats(http: httpx.Client, form: str) -> None:
    """The statement's own format, the parameter and the header all choose, in this order."""
    named = http.post("/", content=f"SELECT 'a' AS x FORMAT {form}", params={"default_format": "XML"})
    given = http.get("/", params={"query": "SELECT 'a' AS x", "default_format": form})
    asked = http.post("/", params={"query": "SELECT 'a'"}, content=" AS x", headers={"X-ClickHouse-Format": form})
    for answer in (named, given, asked):
        assert answer.status_code == 200
        assert answer.headers["x-clickhouse-format"] == form
        assert b"a" in answer.content
    assert http.get("/", params={"query": "SHOW DATABASES FORMAT JSON"}).headers["x-clickhouse-format"] == "JSON"


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd", "deflate"])
def test_compression(http: httpx.Client, address: str, encoding: str) -> None:
    """Both ways, and only where it is asked for."""
    from sojourn.web.clickhouse.compression import pack, unpack

    sql = b"SELECT number FROM numbers(1000)"
    body = b"".join(pack([sql[:5], sql[5:]], encoding))
    with http.stream(
        "POST", "/?enable_http_compression=1", content=body, headers={"Content-Encoding": encoding, "Accept-Encoding": encoding}
    ) as answer:
        assert answer.headers["content-encoding"] == encoding
        raw = b"".join(answer.iter_raw())
    assert unpack(raw, encoding, 10**6).split()[-1] == b"999"
    plain = http.post("/", content=sql, headers={"Accept-Encoding": encoding})
    assert "content-encoding" not in plain.headers


def test_a_bomb_is_refused(http: httpx.Client) -> None:
    """A small body that becomes a huge one is refused before it is huge."""
    answer = http.post("/", content=gzip.compress(b" " * (64 << 20)), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert http.post("/", content=b"nonsense", headers={"Content-Encoding": "gzip"}).status_code in (400, 500)


def test_forms(http: httpx.Client) -> None:
    """Large parameters travel as a form; curl calls any body one."""
    fields = {"query": (None, "SELECT {x:String}"), "param_x": (None, "y" * 100_000)}
    assert http.post("/", files=fields).text == "y" * 100_000 + "\n"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post("/", content="SELECT 1 + 1", headers=kind).text == "2\n"
    assert http.post("/", data={"query": "SELECT {x:UInt8}", "param_x": "7"}).text == "7\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT nothing", 404, 47),
        ("SELEC 1", 400, 62),
        ("", 400, 62),
        (";", 400, 62),
        ("SELECT {x:UInt8}", 400, 456),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT count() FROM numbers(10000000000) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 1000", 403, 164),
        ("SELECT number FROM numbers(1000001) FORMAT Null", 500, 396),
    ],
)
def test_errors(http: httpx.Client, sql: str, status: int, code: int) -> None:
    """Status, code and sentence are those of a server."""
    answer = http.post("/", content=sql)
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (status, str(code)), answer.text
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_an_error_behind_the_first_rows(client: Client, http: httpx.Client) -> None:
    """Rows that were sent are followed by the error; nobody takes the part for the whole."""
    sql = "SELECT throwIf(number = 990000, 'late') FROM numbers(1000000)"
    with pytest.raises(DatabaseError, match="late"), client.query_row_block_stream(sql) as blocks:
        list(blocks)
    answer = http.post("/", content=sql)
    assert answer.status_code == 200
    tag = answer.headers["x-clickhouse-exception-tag"]
    assert f"__exception__\r\n{tag}\r\nCode: 395" in answer.text


FORBIDDEN = (
    "INSERT INTO session_rows (SessionId) VALUES ('x')",
    "INSERT INTO FUNCTION file('/tmp/x.csv') SELECT 1",
    "DROP TABLE session_rows",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a Int8)",
    "ALTER TABLE session_rows DELETE WHERE 1",
    "DELETE FROM session_rows WHERE 1",
    "TRUNCATE TABLE session_rows",
    "OPTIMIZE TABLE session_rows",
    "SELECT 1; DROP TABLE session_rows",
    "SELECT 1; SELECT 2",
    "SET readonly = 0",
    "USE system",
    "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1",
    "BACKUP TABLE session_rows TO Disk('x', 'y')",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 INTO OUTFILE '{target}'",
    "SELECT * FROM file('{secret}')",
    "SELECT file('{secret}')",
    "SELECT \"fil\\x65\"('{secret}')",
    "SELECT /* file */ FILE ( '{secret}' )",
    "SELECT * FROM (SELECT * FROM file('{secret}', 'LineAsString'))",
    "WITH (SELECT file('{secret}')) AS x SELECT x",
    "SELECT 1 WHERE file('{secret}') != ''",
    "DESCRIBE file('{secret}')",
    "DESCRIBE TABLE (SELECT * FROM file('{secret}'))",
    "EXPLAIN SELECT * FROM file('{secret}')",
    "EXPLAIN AST INSERT INTO session_rows SELECT 1",
    "SELECT * FROM default.`{secret}`",
    "EXISTS TABLE default.`{secret}`",
    "DESCRIBE default.`{secret}`",
    "SELECT * FROM `{secret}`",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', 'system.one')",
    "SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM python(os)",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM merge('default', '.*')",
    "SELECT * FROM cluster('default', 'system.one')",
    "SELECT aiGenerate('x')",
    "SELECT * FROM system.users",
    "SELECT * FROM system.`named_collections`",
    "SELECT * FROM system.stack_trace",
    "SELECT * FROM system.certificates",
    "WITH 1 AS x SELECT (SELECT count() FROM system.query_log)",
    "SELECT 1 IN system.users",
    "SELECT 'a' IN (SELECT name FROM system.settings_profiles)",
    "SELECT * FROM other.secrets",
    "SELECT * FROM view(SELECT * FROM system.users)",
    "DESCRIBE TABLE system.text_log",
    "EXPLAIN SELECT * FROM system.users",
    "SELECT 1 UNION ALL SELECT count() FROM system.users",
    "SELECT * FROM session_rows AS a JOIN system.users AS b ON 1 = 1",
)


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_nothing_but_reading(http: httpx.Client, filled: Database, tmp_path: Path, sql: str) -> None:
    """Nothing is written, and nothing outside of the database is read, whatever the statement looks like."""
    secret, target = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text("hidden,1\n")
    answer = http.post("/", content=sql.replace("{secret}", str(secret)).replace("{target}", str(target)))
    assert answer.status_code in (400, 403, 404), answer.text
    assert "hidden" not in answer.text
    assert not target.exists()
    assert filled.client().command("SELECT count() FROM session_rows FINAL") == 2
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"


FILES = (
    "output_format_schema",
    "format_schema",
    "format_template_resultset",
    "format_template_row",
    "format_display_secrets_in_show_and_select",
)
"""Settings about formats that reach files, or show passwords."""


@pytest.mark.parametrize("table", ["system.tables", "system.functions", "information_schema.columns", "INFORMATION_SCHEMA.TABLES"])
def test_what_clients_ask_about_the_database(http: httpx.Client, table: str) -> None:
    """To complete names and to show the schema, clients read tables of the database itself."""
    assert int(http.post("/", content=f"SELECT count() FROM {table}").text) > 0
    name = table.partition(".")[2]
    assert int(http.post("/", content=f"SELECT count() FROM {name}", params={"database": table.partition(".")[0]}).text) > 0


def test_settings(http: httpx.Client) -> None:
    """Limits can only be made tighter, answers can be formed, and nothing else can be set."""
    ask = "SELECT getSetting('max_execution_time'), getSetting('max_result_rows')"
    assert http.get("/", params={"query": ask, "max_execution_time": "5", "max_result_rows": "0"}).text == "5\t1000000\n"
    assert http.get("/", params={"query": ask, "max_execution_time": "100000"}).text == "60\t1000000\n"
    assert http.get("/", params={"query": "SELECT 1 FORMAT JSONEachRow", "output_format_json_quote_64bit_integers": "1"}).status_code == 200
    for name in ("allow_ddl", "max_execution_times", "x = 1, readonly", "user_files_path", "allow_introspection_functions", *FILES):
        assert http.get("/", params={"query": "SELECT 1", name: "1"}).status_code == 403
    assert http.get("/", params={"query": "SELECT 1", "compress": "1"}).status_code == 501
    assert http.get("/", params={"query": "SELECT getSetting('readonly')", "readonly": "0"}).text == "1\n"
    assert http.get("/", params={"query": "SELECT 1", "query_id": "", "default_format": ""}).text == "1\n"  # as if they were not there


def test_an_insert_is_told_why_not(client: Client) -> None:
    with pytest.raises(DatabaseError, match="only what reads is done here"):
        client.insert("sessions", [["x"]], column_names=["SessionId"])


def test_databases(http: httpx.Client, filled: Database) -> None:
    """Without a name, and as `default`, the collector's own database is meant."""
    for database in ({}, {"database": "default"}, {"database": filled.name}):
        assert http.get("/", params={"query": "SELECT currentDatabase()"} | database).text == f"{filled.name}\n"
    assert http.get("/", params={"query": "SELECT currentDatabase()", "database": "system"}).text == "system\n"
    for other in ("no`where", "other", "default`; DROP DATABASE x; --"):
        assert http.get("/", params={"query": "SELECT 1", "database": other}).status_code == 404
    assert http.get("/", params={"query": "SELECT * FROM users", "database": "system"}).status_code == 403


def test_strangers_are_refused(http: httpx.Client) -> None:
    """A page that points its own name at this address (DNS rebinding) gets nothing."""
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        assert http.get("/?query=SELECT+1", headers={"Host": host}).status_code in (400, 403)
    for host in ("localhost:8123", "127.0.0.1", "[::1]:8123", "app.localhost"):
        assert http.get("/?query=SELECT+1", headers={"Host": host}).text == "1\n"


def test_pages_of_others_do_not_ask(http: httpx.Client) -> None:
    """A page cannot read the answer, but it could keep the database busy."""
    for foreign in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert http.post("/", content="SELECT 1", headers=foreign).status_code == 403
        assert http.get("/?query=SELECT+1", headers=foreign).status_code == 403
    assert http.get("/?query=SELECT+1", headers={"Sec-Fetch-Site": "none"}).text == "1\n"
    assert http.post("/", content="SELECT 1", headers={"Origin": str(http.base_url).rstrip("/")}).text == "1\n"


def test_reading_while_the_collector_writes(store: Store, database: Database) -> None:
    """Many readers beside a writer: every answer is whole, and the last one has everything."""
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0), concurrent_queries=3).open(Service(database)) as listening:
        failures: list[str] = []
        done = threading.Event()

        def read() -> None:
            with httpx.Client(base_url=f"http://{listening.endpoints['clickhouse_http']}", timeout=60) as reader:
                while True:
                    last = done.is_set()
                    answer = reader.post("/", content="SELECT count(), uniqExact(SessionId) FROM sessions")
                    if answer.status_code != 200 or len(set(answer.text.split())) != 1:
                        failures.append(answer.text)
                    if last:
                        if answer.text != "600\t600\n":
                            failures.append(answer.text)
                        return

        readers = [threading.Thread(target=read) for _ in range(6)]
        for reader in readers:
            reader.start()
        for group in range(12):
            store.sessions(*({"session_id": f"s{group}-{i}"} for i in range(50)))
        done.set()
        for reader in readers:
            reader.join()
        assert not failures


def test_stopping_waits_for_no_query(database: Database) -> None:
    """A query that would run for a minute is broken off when the collector stops."""
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening:
        address = f"http://{listening.endpoints['clickhouse_http']}/"
        asking = threading.Thread(target=_ask_for_long, args=(address,))
        asking.start()
        running = "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'"
        while database.client().command(running) == 0:
            assert asking.is_alive()
        began = time.monotonic()
    assert time.monotonic() - began < 20
    asking.join()


def _ask_for_long(address: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(address, content="SELECT count() FROM system.numbers WHERE sipHash64(number) = 1", timeout=120)


def test_beside_a_server_there_is_nothing_to_serve(caplog: pytest.LogCaptureFixture) -> None:
    """A server answers for itself: the extension says so and does not listen."""
    caplog.set_level("INFO")
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0)).open(Service(None)) as listening:
        assert listening.endpoints == {}
    assert "not started" in caplog.text


def test_the_greeting_of_clickhouse_go(http: httpx.Client) -> None:
    """Grafana's driver reads this one answer as a block of its own protocol, and is told to read all others as of revision 0."""
    sql = "SELECT displayName(), version(), revision(), timezone()"
    answer = http.post("/", content=sql, params={"client_protocol_version": "54460", "default_format": "Native"}).content
    assert answer.startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01\x0ddisplayName()\x06String\x00\x07sojourn")
    assert b"\x0arevision()\x06UInt32\x00\x00\x00\x00\x00" in answer
    assert b"sojourn" not in http.post("/", content=sql).content
