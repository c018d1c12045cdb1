"""The embedded engine: whose directory it is, what it may touch, and what a killed process leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sojourn
from sojourn.errors import Rejected, SojournError, Unavailable
from sojourn.storage import embedded
from sojourn.storage.address import Address
from sojourn.storage.database import Database

CHILD = """
import os, signal, sys
from pathlib import Path
from sojourn.errors import SojournError
from sojourn.storage import migrate
from sojourn.storage.address import Address
from sojourn.storage.database import Database
database = Database(Address("otel", path=Path(sys.argv[1])))
{body}
"""


def child(path: Path, body: str) -> subprocess.Popen[str]:
    """Another process on that directory."""
    command = [sys.executable, "-c", CHILD.format(body=body), str(path)]
    environment = os.environ | {"PYTHONPATH": str(Path(sojourn.__file__).parent.parent)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=path.parent, env=environment)


def test_a_second_process_is_told(tmp_path: Path) -> None:
    """One line that says what to do, while the first one goes on."""
    path = tmp_path / "db"
    first = child(path, "migrate.apply(database); print('open', flush=True); input(); print(len(database.rows('SELECT 1')), flush=True)")
    assert first.stdout is not None
    assert first.stdout.readline() == "open\n"
    second = child(path, "try: database.client()\nexcept SojournError as error: print(error)")
    assert (
        second.communicate(timeout=60)[0]
        == f"{path}: another Sojourn runs on this database: stop it, or choose another service::data_dir\n"
    )
    assert first.communicate("\n", timeout=60)[0] == "1\n"


def test_a_killed_process_leaves_a_database_that_opens(tmp_path: Path) -> None:
    """What was stored is there; no stale lock, and no temporary files of inserts that were under way."""
    path = tmp_path / "db"
    body = """
migrate.apply(database)
database.command("INSERT INTO otel.session_rows (SessionId, Version) VALUES ('s', 1)")
import tempfile
tempfile.NamedTemporaryFile(delete=False).write(b"half an insert")
print(tempfile.gettempdir(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = child(path, body).communicate(timeout=60)[0].strip()
    assert Path(told) == path / embedded.OURS / "tmp"
    assert os.listdir(told)
    again = child(path, "print(database.rows('SELECT SessionId FROM otel.sessions')); print(os.listdir(sys.argv[1] + '/.sojourn/tmp'))")
    assert again.communicate(timeout=60)[0] == "[{'SessionId': 's'}]\n[]\n"


def test_a_configuration_in_the_working_directory_is_not_read(tmp_path: Path) -> None:
    """The engine would take ./config.xml for its own."""
    (tmp_path / "config.xml").write_text("<clickhouse><mark_cache_size>1</mark_cache_size></clickhouse>")
    asked = "SELECT value FROM system.server_settings WHERE name = 'mark_cache_size'"
    told = child(tmp_path / "db", f'migrate.apply(database); print(database.rows("{asked}"))').communicate(timeout=60)[0]
    assert told == "[{'value': '33554432'}]\n"


TOLD = """
from clickhouse_connect.driver.exceptions import DatabaseError
from sojourn.storage.failures import told

def insert(settings={{}}):
    block = database.native("SELECT 's' AS SessionId, toUInt64(1) AS Version")
    try:
        database.insert("session_rows", ["SessionId", "Version"], block, compressed=False, settings=settings)
    except DatabaseError as error:
        print(type(told(error, "here")).__name__, end=" ")
    print(database.rows("SELECT count() AS n FROM session_rows")[0]["n"])

migrate.apply(database)
{body}
"""


def test_an_insert_that_the_engine_refuses_as_it_writes_is_told(tmp_path: Path) -> None:
    """Too many parts, say: it knows that only when the rows are to be stored."""
    body = """
database.command("ALTER TABLE session_rows MODIFY SETTING parts_to_throw_insert = 2, parts_to_delay_insert = 0")
database.command("SYSTEM STOP MERGES")
for _ in range(3):
    insert()
"""
    told = child(tmp_path / "db", TOLD.format(body=body)).communicate(timeout=60)[0]
    assert told.splitlines() == ["1", "2", "Unavailable 2"]


def test_an_inserter_that_was_closed_writes_into_no_other_file(tmp_path: Path) -> None:
    """A stop does not wait for ever: a thread that is late still holds it, while the number of its file is another file's already."""
    body = """
migrate.apply(database)
block = database.native("SELECT 's' AS SessionId, toUInt64(1) AS Version")
inserter = database._inserter(database.path)
insert = lambda: inserter.insert("otel.session_rows", ["SessionId", "Version"], block, {})
insert()
number = inserter._file
inserter.close()
with open(sys.argv[1] + "/other", "w+b") as other:
    os.dup2(other.fileno(), number)
    try:
        insert()
    except Exception as error:
        print(type(error).__name__, end=" ")
    print(os.fstat(number).st_size)
"""
    assert child(tmp_path / "db", body).communicate(timeout=60)[0] == "DatabaseError 0\n"


@pytest.mark.parametrize(
    "broken",
    [
        "os.memfd_create = lambda name: os.close(os.open('/nowhere', os.O_RDONLY))",
        "import chdb; chdb.connect = lambda path: (_ for _ in ()).throw(RuntimeError('no more files'))",
        "from sojourn.storage import room; room.free = lambda path: 0",
    ],
)
def test_what_keeps_an_inserter_from_its_work_is_later(tmp_path: Path, broken: str) -> None:
    """No more files to be had, or a disk that others filled while the rows were written: they are no dead letters, and come again."""
    told = child(tmp_path / "db", TOLD.format(body=f"{broken}\ninsert()")).communicate(timeout=60)[0]
    assert told.startswith("Unavailable ")


def test_an_insert_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    """The write-ahead log lets go of what is stored: a machine that loses its power must not take it along."""
    asked = "SELECT name FROM system.merge_tree_settings WHERE name IN ('fsync_after_insert', 'fsync_part_directory') AND value = '1'"
    told = child(tmp_path / "db", f'migrate.apply(database); print(len(database.rows("{asked}")))').communicate(timeout=60)[0]
    assert told == "2\n"


def test_some_room_on_the_disk_is_left_alone(tmp_path: Path) -> None:
    """The engine takes no notice of a write that fails, only of room that is not there when it begins an insert or a merge."""
    asked = "SELECT sum(keep_free_space) AS free FROM system.disks"
    told = child(tmp_path / "db", f'migrate.apply(database); print(database.rows("{asked}"))').communicate(timeout=60)[0]
    assert told == "[{'free': 67108864}]\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM `default`.`/etc/passwd`",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
        "INSERT INTO FUNCTION file('/tmp/sojourn-test', 'CSV') SELECT 1",
    ],
)
def test_files_and_networks_are_out_of_reach(empty_database: Database, sql: str) -> None:
    """Whoever may ask the database may not read the machine's files through it."""
    with pytest.raises((Rejected, Unavailable), match=r"Not enough privileges|refuses us"):
        empty_database.command(sql, anywhere=True)


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SojournError, match="choose a directory that can be written"):
        Database(Address("otel", path=tmp_path / "file" / "db")).client()


def test_a_closed_database_says_so(chdb_path: Path) -> None:
    """Extensions may ask until the very end."""
    database = Database(Address("otel", path=chdb_path))
    database.client()
    database.close()
    with pytest.raises(Unavailable, match="is closed"):
        database.client()


def test_every_thread_has_a_client_of_its_own(empty_database: Database) -> None:
    """Clients take one call at a time; threads do not wait for each other."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    barrier = Barrier(3)

    def ask() -> int:
        barrier.wait(30)
        return id(empty_database.client())

    with ThreadPoolExecutor(3) as pool:
        clients = {future.result() for future in [pool.submit(ask) for _ in range(3)]}
    assert len(clients) == 3
