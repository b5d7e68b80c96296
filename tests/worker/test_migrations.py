"""Schemas: what the models say is what migrations make; a migration happens whole or not at all, and once."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import column, inspect, table, text, update
from sqlalchemy.exc import IntegrityError

from tests.databases import ENGINES, Databases, Provisioner
from tests.flows.children import in_processes, migrate
from tests.postgres import Server
from worker.store import engine
from worker.store.engine import Store, StoreError, open_store
from worker.store.messages import aliases
from worker.store.statements import insert_new
from worker.store.tables import KeyringTable, OutboxRow, Table

NEWER: Final = '''
"""One more"""
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "{before}"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table("one_more", sa.Column("id", sa.BigInteger(), primary_key=True))
    {statement}
'''
HEADS: Final = {"store": "0007", "keyring": "0001"}
"""This version's revision of each schema."""
BEFORE_TEXTS: Final = {
    *("account_state", "alembic_version_store", "alias", "callback", "consent", "content", "conversation"),
    *("counter", "decision_chain", "decision_commit", "identifier", "link", "message"),
}
"""What the first version's store holds."""


outbox = Table.metadata.tables[str(OutboxRow.__tablename__)]


@pytest.fixture
def empty(request: pytest.FixtureRequest, provisioner: Provisioner) -> Databases:
    """Databases before any migration; the test says on which engine."""
    return provisioner.empty(request.param)


on_both_engines = pytest.mark.parametrize("empty", ENGINES, indirect=True)


@pytest.fixture
def stores(databases: Databases) -> Iterator[list[Store]]:
    """Store and keyring as migrated."""
    with databases.opened() as (store, keyring):
        yield [store, keyring.store]


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make this code one of a later version, whose next migration ends with a statement of its own."""

    def come(statement: str) -> None:
        scripts = Path(shutil.copytree(engine._MIGRATIONS, tmp_path / "migrations"))
        for schema, head in HEADS.items():
            (scripts / schema / "9998_one_more.py").write_text(NEWER.format(before=head, statement=statement))
        monkeypatch.setattr(engine, "_MIGRATIONS", scripts)

    return come


def upgrade(store: Store, revision: str) -> None:
    """Make or bring the schema to one revision, as the version did whose last one it was."""
    if store.path is not None:
        engine._create_private(store.path)
    with store.transaction() as connection:
        configuration = store._configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)


def tables(store: Store) -> set[str]:
    """The tables that are there, in whatever schema connections of this store look first; parts of one are not counted."""
    with store.reading() as connection:
        return {name for name in inspect(connection).get_table_names() if not name.startswith("content_")}


def test_models_and_migrations_agree(stores: list[Store]) -> None:
    """A model without a migration, or the other way round, is found by alembic's own comparison."""
    for store, models in zip(stores, (Table, KeyringTable), strict=True):
        ours = set(models.metadata.tables)

        def is_ours(_object: Any, name: str | None, kind: str, *_: Any, ours: set[str] = ours) -> bool:
            return kind != "table" or name in ours

        options = {"include_object": is_ours, "compare_type": True, "compare_server_default": True}
        with store.reading() as connection:
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, models.metadata) == []
            assert ours <= set(inspect(connection).get_table_names())


def test_narrow_tables_are_one_tree_on_sqlite(sqlite: Databases) -> None:
    """What alembic does not compare: which tables have no rowid."""
    with sqlite.opened() as opened, opened[0].reading() as connection:
        made = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    without = {name for name, sql in made if sql.rstrip().endswith("WITHOUT ROWID")}
    modelled = Table.metadata.tables.items()
    assert without == {
        name for name, table in modelled if table.dialect_options["sqlite"]["with_rowid"] is False
    }


@on_both_engines
def test_migrating_again_changes_nothing(empty: Databases) -> None:
    """The second time there is nothing to do; before the first, the schema is behind."""
    with empty.opened() as (store, keyring):
        for one in (store, keyring.store):
            with pytest.raises(StoreError, match="behind this version"):
                one.check_schema()
    empty.migrate()
    empty.migrate()
    with empty.opened() as (store, keyring):
        assert {one.schema: one.revision() for one in (store, keyring.store)} == HEADS
        store.check_schema()
        keyring.check()


@on_both_engines
@pytest.mark.parametrize(
    "statement", ['op.execute("SELECT * FROM no_such_table")', 'raise RuntimeError("x")']
)
def test_a_failing_migration_changes_nothing(
    empty: Databases, next_version: Callable[[str], None], statement: str
) -> None:
    """Not the table that it made first, nor the revision; it says so, and the old version goes on."""
    empty.migrate()
    next_version(statement)
    with empty.opened() as (store, keyring):
        for one in (store, keyring.store):
            before = tables(one)
            with pytest.raises(StoreError, match="failed and was undone"):
                one.migrate()
            assert tables(one) == before
            assert one.revision() == HEADS[one.schema]


@on_both_engines
def test_a_first_migration_that_fails_leaves_nothing(
    empty: Databases, next_version: Callable[[str], None]
) -> None:
    """Two migrations are one transaction."""
    next_version('op.execute("SELECT * FROM no_such_table")')
    with empty.opened() as (store, _):
        with pytest.raises(StoreError, match="failed and was undone"):
            store.migrate()
        assert tables(store) == set()


@on_both_engines
def test_a_migration_keeps_what_is_stored(empty: Databases, next_version: Callable[[str], None]) -> None:
    """The next version's migration runs over a database in use."""
    empty.migrate()
    next_version("pass")
    with empty.opened() as (store, _):
        with pytest.raises(StoreError, match="behind this version"):
            store.check_schema()
        store.migrate()
        assert store.revision() == "9998"
        assert "one_more" in tables(store)


@on_both_engines
def test_a_store_of_the_first_version_gets_what_came_since(empty: Databases) -> None:
    """It has no tables for outbound texts; afterwards it has them, and everything that it held before."""
    row = ("acme", b"alias", b"key")
    with empty.opened() as (store, _):
        upgrade(store, "0001")
        assert tables(store) == BEFORE_TEXTS
        with store.transaction() as tx:
            insert_new(tx, aliases, [row])
        with pytest.raises(StoreError, match="behind this version"):
            store.check_schema()
        store.migrate()
        store.check_schema()
        assert tables(store) == set(Table.metadata.tables) | {"alembic_version_store"}
        with store.reading() as tx:
            assert [tuple(one) for one in tx.execute(aliases.select())] == [row]
            assert not tx.execute(outbox.select()).all()


@on_both_engines
def test_a_newer_schema_is_refused(empty: Databases) -> None:
    """This version neither uses nor touches what a later one has made."""
    empty.migrate()
    with empty.opened() as (store, keyring):
        for one in (store, keyring.store):
            with one.transaction() as tx:
                tx.execute(
                    update(table(f"alembic_version_{one.schema}", column("version_num"))).values(
                        version_num="9999"
                    )
                )
            before = tables(one)
            for refused in (one.check_schema, one.migrate):
                with pytest.raises(StoreError, match="newer than this version"):
                    refused()
            assert (one.revision(), tables(one)) == ("9999", before)


@on_both_engines
def test_several_processes_migrate_at_once(empty: Databases) -> None:
    """One does, the others wait and find it done; nobody fails."""
    assert in_processes(migrate, *[(empty,)] * 4) == [""] * 4
    with empty.opened() as (store, keyring):
        store.check_schema()
        keyring.check()


def test_on_postgresql_the_keyring_has_a_schema_of_its_own(postgresql: Databases) -> None:
    """A dump of the content's schema holds no keys, also where both share a database."""
    with postgresql.opened() as (store, keyring):
        keyring.tenant_key("acme", "pseudonym")
        with store.reading() as connection:
            schemas = {
                schema: set(inspect(connection).get_table_names(schema)) for schema in ("public", "keyring")
            }
    assert schemas["keyring"] >= set(KeyringTable.metadata.tables)
    assert schemas["public"] >= set(Table.metadata.tables)
    assert not schemas["public"] & set(KeyringTable.metadata.tables)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/x.db", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_does_not_answer(url: str) -> None:
    """Says so in a sentence, whatever is asked of it, and never shows its address."""
    store = open_store(url)
    for asked in (store.ping, store.check_schema):
        if url.startswith("sqlite") and asked == store.check_schema:
            continue  # a file that is not there is a store that is not made yet
        with pytest.raises(StoreError, match="does not answer") as refused:
            asked()
        assert "nowhere" not in str(refused.value) + str(refused.value.__cause__)
    if not url.startswith("sqlite"):
        with pytest.raises(StoreError, match="does not answer"):
            store.migrate()
    store.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite+aiosqlite:///x", "postgresql+asyncpg://x/y"]
)
def test_a_url_that_is_none_of_ours(url: str) -> None:
    """Refused in a sentence that does not repeat it: a password may stand in it."""
    with pytest.raises(StoreError) as refused:
        open_store(url)
    assert not url or url not in str(refused.value)


def test_sqlite_is_set_up_for_durability_and_deletion(sqlite: Databases) -> None:
    """The pragmas are in force on every connection, not only asked for."""
    expected = {
        "auto_vacuum": 2,  # incremental
        "journal_mode": "wal",
        "synchronous": 2,  # full
        "secure_delete": 1,
        "busy_timeout": 10_000,
        "temp_store": 2,  # memory
    }
    with sqlite.opened() as (store, keyring):
        for one in (store, keyring.store):
            for _ in range(2):
                with one.reading() as connection:
                    found = {
                        name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in expected
                    }
                assert found == expected


def test_database_files_are_their_owner_s_alone(provisioner: Provisioner) -> None:
    """The database, its log and its index hold personal data: mode 0600, directory 0700, whatever the umask."""
    directory = provisioner.empty("sqlite").directory / "made"
    databases = Databases.below(directory)
    databases.migrate()
    with databases.opened() as (store, keyring):
        keyring.tenant_key("acme", "pseudonym")
        with store.transaction() as tx:
            tx.execute(text("INSERT INTO counter VALUES ('acme', 1, 'x', '', 'noted', '', 1)"))
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert set(files) == {
        f"{name}.db{suffix}" for name in ("sluicegate", "keyring") for suffix in ("", "-wal", "-shm")
    }
    assert set(files.values()) == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_is_deleted_is_overwritten(sqlite: Databases) -> None:
    """secure_delete: a deleted row's bytes are gone from the file."""
    path = sqlite.directory / "sluicegate.db"
    with sqlite.opened() as (store, _):
        with store.transaction() as tx:
            tx.execute(text("INSERT INTO counter VALUES ('canary-4711', 1, 'x', '', 'noted', '', 1)"))
        with store.transaction() as tx:
            tx.execute(text("DELETE FROM counter"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"canary-4711" not in path.read_bytes()


def test_postgresql_commits_are_durable(servers: Callable[[], Server], postgresql: Databases) -> None:
    """Whatever a server's default is, ours wait for the disk; and no session waits for ever."""
    with postgresql.opened() as (store, _), store.reading() as connection:
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout")
        }
    assert shown == {
        "synchronous_commit": "on",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
    }


def test_reading_sees_one_moment(databases: Databases) -> None:
    """What is committed while somebody reads is not half in what they see."""
    insert = text("INSERT INTO counter VALUES ('acme', 1, 'x', '', 'noted', '', 1)")
    count = text("SELECT count(*) FROM counter")
    with databases.opened() as (store, _):
        with store.reading() as connection:
            assert connection.execute(count).scalar_one() == 0
            with store.transaction() as tx:
                tx.execute(insert)
            assert connection.execute(count).scalar_one() == 0
        with store.reading() as connection:
            assert connection.execute(count).scalar_one() == 1


def test_the_database_s_clock(databases: Databases) -> None:
    """In microseconds since 1970, near enough to this machine's."""
    with databases.opened() as (store, _):
        assert abs(store.now() - time.time_ns() // 1000) < 5_000_000


def test_no_value_in_an_error(databases: Databases) -> None:
    """What the driver complains about is not repeated: it may be content."""
    row = {"tenant": "acme", "alias": b"1", "key": b"secret-4711"}
    with databases.opened() as (store, _):
        with store.transaction() as tx:
            tx.execute(aliases.insert(), row)
        with pytest.raises(IntegrityError) as refused, store.transaction() as tx:
            tx.execute(aliases.insert(), row)
        assert "4711" not in str(refused.value)
