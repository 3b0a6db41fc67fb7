"""What is DuckDB's own: logins at a catalog, names, extensions, and what it says when something fails."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from botocore.credentials import Credentials
from pydantic import SecretStr
from pyiceberg.catalog import Catalog

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers import duckdb_catalog
from dashboard.readers.catalog import CatalogAccess, FileAccess, open_catalog
from dashboard.readers.catalog_login import ClientCredentials
from dashboard.readers.duckdb_catalog import AttachedCatalog, database
from dashboard.readers.duckdb_engine import DuckdbEngine
from dashboard.readers.duckdb_errors import duckdb_translated
from dashboard.readers.lake import Lake
from tests.conftest import free_ports
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.iceberg_tables import NAMESPACE, WINDOW, append, revenue_table, served_catalog, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = {"start": NOON, "end": NOON + timedelta(days=1)}


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeConfluentCloud]:
    with FakeConfluentCloud() as cloud:
        append(revenue_table(cloud.iceberg_catalog, namespace=cloud.cluster_id), [(NOON, "1.10")])
        yield cloud


def tableflow(cloud: FakeConfluentCloud, key: str, secret: str, catalog: Catalog | None = None) -> Lake:
    tokens = f"{cloud.tableflow_catalog_url}/v1/oauth/tokens"
    login = ClientCredentials(SecretStr(key), SecretStr(secret), tokens)
    lake = Lake(cloud.tableflow_catalog_url, cloud.cluster_id, catalog)
    lake.access = replace(lake.access, login=login)
    return lake


def test_tableflows_catalog_is_read_with_its_key(cloud: FakeConfluentCloud) -> None:
    with closing(DuckdbEngine(tableflow(cloud, *cloud.tableflow_key), WINDOW)) as engine:
        assert engine.ask("revenue_totals", DAY).rows["revenue"].to_pylist() == [Decimal("1.10")]


def test_a_wrong_key_is_an_error_that_does_not_show_it(cloud: FakeConfluentCloud) -> None:
    key, _ = cloud.tableflow_key
    # PyIceberg is let in, so that DuckDB is who is refused
    let_in = tableflow(cloud, *cloud.tableflow_key)
    assert let_in.snapshot() is not None
    engine = DuckdbEngine(tableflow(cloud, key, "open-sesame", let_in._catalog), WINDOW)

    with closing(engine), pytest.raises(SalesTrendsError) as refused:
        engine.ask("revenue_totals", DAY)

    told = f"{refused.value} {refused.value.__cause__!r}"
    assert "token" in told
    assert "open-sesame" not in told
    assert key not in told


def test_no_secret_is_left_in_an_error_wherever_duckdb_put_it() -> None:
    login = ClientCredentials(SecretStr("KEY"), SecretStr("KEY-s3cret"), "http://catalog/tokens")
    catalog = AttachedCatalog(CatalogAccess("http://catalog", "lkc-1", login=login))

    with pytest.raises(ReadError) as told, duckdb_translated("the tables", lambda: catalog.secrets):
        raise duckdb.HTTPException("POST KEY:KEY-s3cret, then KEY-s3cret alone")

    assert "KEY" not in str(told.value)
    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None


def test_nobody_who_asks_duckdb_sees_a_secret_in_its_lists(cloud: FakeConfluentCloud) -> None:
    with closing(DuckdbEngine(tableflow(cloud, *cloud.tableflow_key), WINDOW)) as engine:
        engine.ask("revenue_totals", DAY)
        listed = database().execute("SELECT * FROM duckdb_secrets()").fetchall()

        assert listed
        assert cloud.tableflow_key[1] not in str(listed)
    assert database().execute("SELECT * FROM duckdb_secrets()").fetchall() == []


def test_a_closed_engine_leaves_no_catalog_attached(cloud: FakeConfluentCloud) -> None:
    names = "SELECT database_name FROM duckdb_databases() WHERE NOT internal ORDER BY 1"
    before = database().execute(names).fetchall()
    engine = DuckdbEngine(tableflow(cloud, *cloud.tableflow_key), WINDOW)
    engine.ask("revenue_totals", DAY)
    assert database().execute(names).fetchall() != before

    engine.close()

    assert database().execute(names).fetchall() == before


def test_a_namespace_with_dots_is_refused_with_the_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served_catalog(tmp_path_factory.mktemp("catalog")) as uri:
        append(revenue_table(open_catalog(CatalogAccess(uri, "")), namespace="lkc"), [(NOON, "1.00")])
        catalog = open_catalog(CatalogAccess(uri, ""))
        catalog.create_namespace(("a.b",))
        schema = catalog.load_table(("lkc", "revenue_summary")).schema()
        append(catalog.create_table(("a.b", "revenue_summary"), schema), [(NOON, "1.00")])

        with (
            closing(DuckdbEngine(Lake(uri, "a.b"), WINDOW)) as engine,
            pytest.raises(ReadError, match=r"namespace a\.b: to it a dot") as refused,
        ):
            engine.ask("revenue_totals", DAY)

        assert "pyiceberg" in refused.value.hint


def test_a_catalog_that_duckdb_cannot_reach_is_unreachable(tmp_path_factory: pytest.TempPathFactory) -> None:
    (free,) = free_ports(1)
    with sqlite_catalog(tmp_path_factory.mktemp("catalog")) as catalog:
        append(revenue_table(catalog), [(NOON, "1.00")])
        lake = Lake(f"http://127.0.0.1:{free}/iceberg", NAMESPACE, catalog)

        with closing(DuckdbEngine(lake, WINDOW)) as engine, pytest.raises(UnreachableError) as silent:
            engine.ask("revenue_totals", DAY)

    assert f"127.0.0.1:{free}" in silent.value.message


def test_a_catalog_that_was_away_is_read_again_when_it_is_back(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    lake = Lake(f"http://127.0.0.1:{port}/iceberg", NAMESPACE)
    with closing(DuckdbEngine(lake, WINDOW)) as engine:
        with served_catalog(tmp_path, port) as uri:
            append(revenue_table(open_catalog(CatalogAccess(uri, NAMESPACE))), [(NOON, "1.00")])
            before = engine.ask("revenue_totals", DAY)
        with pytest.raises(UnreachableError):
            engine.ask("revenue_totals", DAY)

        with served_catalog(tmp_path, port):
            assert engine.ask("revenue_totals", DAY).rows.equals(before.rows)


def test_keys_to_ones_own_bucket_are_those_of_this_moment(
    tmp_path: Path, own_keys: Callable[[str, str, str | None], None]
) -> None:
    files = FileAccess(lent=False, region="eu-west-1", endpoint="http://127.0.0.1:9")

    def known() -> str:
        ((secret,),) = database().execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
        return str(secret)

    with served_catalog(tmp_path) as uri:
        catalog = AttachedCatalog(CatalogAccess(uri, "lkc", files=files))
        own_keys("FIRST", "hush", None)
        catalog.attach(database())
        first, first_secrets = known(), catalog.secrets
        own_keys("SECOND", "hush again", "for an hour")
        catalog.renew(database())
        second = known()
        catalog.detach(database())

    assert "key_id=FIRST" in first
    assert "endpoint=127.0.0.1:9" in first
    assert "use_ssl=false" in first
    assert "key_id=SECOND" in second
    assert "hush" not in first + second
    assert first_secrets == ["FIRST", "hush"]
    assert catalog.secrets == ["SECOND", "hush again", "for an hour"]


def test_keys_that_duckdb_could_not_be_given_are_given_the_next_time_and_never_shown(
    own_keys: Callable[[str, str, str | None], None],
) -> None:
    catalog = AttachedCatalog(CatalogAccess("http://127.0.0.1:9", "lkc", files=FileAccess(lent=False)))
    own_keys("FIRST", "hush", None)
    with closing(database().cursor()) as closed:
        pass
    with pytest.raises(duckdb.Error):
        catalog.renew(closed)
    assert catalog.secrets == ["FIRST", "hush"]

    catalog.renew(database())

    assert "key_id=FIRST" in str(database().execute("SELECT secret_string FROM duckdb_secrets()").fetchall())
    database().execute(f"DROP SECRET {catalog.name}_files")


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    duckdb_catalog._credentials.cache_clear()
    yield
    duckdb_catalog._credentials.cache_clear()


@pytest.mark.usefixtures("no_keys")
def test_keys_that_come_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = AttachedCatalog(CatalogAccess("http://127.0.0.1:9", "lkc", files=FileAccess(lent=False)))
    catalog.renew(database())
    assert catalog.secrets == []

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "LATER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    catalog.renew(database())

    assert catalog.secrets == ["LATER", "hush"]
    database().execute(f"DROP SECRET {catalog.name}_files")


@pytest.mark.usefixtures("no_keys")
def test_a_profile_that_does_not_exist_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    with served_catalog(tmp_path) as uri:
        append(revenue_table(open_catalog(CatalogAccess(uri, NAMESPACE))), [(NOON, "1.00")])
        lake = Lake.reached_by(CatalogAccess(uri, NAMESPACE, files=FileAccess(lent=False)))

        with (
            closing(DuckdbEngine(lake, WINDOW)) as engine,
            pytest.raises(SettingsError, match=r"profile \(nobodys\) could not be found") as refused,
        ):
            engine.ask("revenue_totals", DAY)

    assert "AWS_PROFILE" in refused.value.hint


@pytest.fixture
def own_keys(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str | None], None]:
    """What AWS's usual places hold."""

    def hold(key: str, secret: str, token: str | None) -> None:
        monkeypatch.setattr(duckdb_catalog, "_credentials", lambda: Credentials(key, secret, token))

    return hold


def test_tables_of_glue_are_refused_with_the_reason(tmp_path: Path) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        append(revenue_table(catalog), [(NOON, "1.00")])
        lake = Lake("http://glue", NAMESPACE, catalog)
        lake.access = replace(lake.access, kind="glue")

        with closing(DuckdbEngine(lake, WINDOW)) as engine, pytest.raises(ReadError, match="AWS Glue") as refused:
            engine.ask("revenue_totals", DAY)

    assert "pyiceberg" in refused.value.hint


@pytest.mark.parametrize("warehouse", ["", "lkc-abc", "o'clock"])
def test_a_warehouse_is_named_to_the_catalog_as_it_is(tmp_path: Path, warehouse: str) -> None:
    with served_catalog(tmp_path) as uri:
        append(revenue_table(open_catalog(CatalogAccess(uri, NAMESPACE))), [(NOON, "1.00")])
        lake = Lake.reached_by(CatalogAccess(uri, NAMESPACE, warehouse=warehouse))

        with closing(DuckdbEngine(lake, WINDOW)) as engine:
            assert engine.ask("revenue_totals", DAY).rows["windows"].to_pylist() == [1]


def test_an_extension_that_is_not_installed_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_catalog, "find_spec", lambda name: None)
    database.cache_clear()

    with pytest.raises(ReadError, match="extension avro is not installed") as missing:
        database()

    assert "duckdb-extension-avro" in missing.value.hint
