import threading

import httpx
import psutil
import pyarrow as pa
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from pyiceberg.catalog.rest import RestCatalog

from tests.local.conftest import Program

ROWS = pa.table({"id": [1, 2, 3]})
ORDERS = ("lkc-local", "shiftleft.public.orders")


def test_it_says_that_it_is_a_stand_in(program: Program) -> None:
    answer = httpx.get(program.url)

    assert "not for production" in answer.text
    assert answer.headers.get_list("server") == ["sales-trends-local (development stand-in)"]


def test_it_listens_on_the_loopback_address_alone(program: Program) -> None:
    assert program.process is not None
    listening = [one for one in psutil.Process(program.process.pid).net_connections() if one.status == "LISTEN"]

    assert [(one.laddr.ip, one.laddr.port) for one in listening] == [("127.0.0.1", program.port)]


def test_web_pages_and_foreign_host_names_are_turned_away(program: Program) -> None:
    """A page in the developer's browser can send a plain POST here, and a name it owns can point here."""
    schema = {"schema": '"string"'}
    page = httpx.post(f"{program.url}/subjects/a/versions", json=schema, headers={"Origin": "https://example.com"})
    rebound = httpx.get(f"{program.url}/subjects", headers={"Host": "example.com"})

    assert (page.status_code, rebound.status_code) == (403, 400)
    assert httpx.get(f"{program.url}/subjects/a/versions").status_code == 404


def test_what_was_answered_is_still_there_after_the_process_was_killed(program: Program) -> None:
    catalog = RestCatalog("local", uri=f"{program.url}/iceberg")
    with SchemaRegistryClient({"url": program.url}) as client:
        schema_id = client.register_schema("orders-value", Schema('"string"'))
        client.set_compatibility("orders-value", "FULL")
        catalog.create_namespace(ORDERS[0])
        catalog.create_table(ORDERS, ROWS.schema).append(ROWS)
        program.kill()

        program.start()

        client.clear_caches()
        assert client.get_latest_version("orders-value").schema_id == schema_id
        assert client.get_compatibility("orders-value") == "FULL"
    table = catalog.load_table(ORDERS)
    table.append(ROWS)
    assert table.scan().to_arrow().num_rows == 6
    catalog.close()


def test_a_kill_in_the_middle_of_writes_loses_nothing_that_was_answered(program: Program) -> None:
    catalog = RestCatalog("local", uri=f"{program.url}/iceberg")
    catalog.create_namespace("lkc-killed")
    catalog.create_table(("lkc-killed", "busy"), ROWS.schema)
    catalog.close()
    answered = {"registry": 0, "catalog": 0}
    busy = threading.Event()

    def write(what: str, path: str) -> None:
        with httpx.Client(base_url=program.url) as http:
            while True:
                number = answered[what] + 1
                update = {"action": "set-properties", "updates": {"number": str(number)}}
                body = {"schema": f'{{"type": "fixed", "name": "F{number}", "size": 1}}', "updates": [update]}
                try:
                    assert http.post(path, json=body).status_code == 200
                except httpx.TransportError:
                    return
                answered[what] = number
                if min(answered.values()) >= 20:
                    busy.set()

    httpx.put(f"{program.url}/config/busy", json={"compatibility": "NONE"})
    paths = {"registry": "/subjects/busy/versions", "catalog": "/iceberg/v1/namespaces/lkc-killed/tables/busy"}
    writers = [threading.Thread(target=write, args=item) for item in paths.items()]
    for writer in writers:
        writer.start()
    assert busy.wait(timeout=60)
    program.kill()
    for writer in writers:
        writer.join()

    program.start()

    kept = httpx.get(f"{program.url}/subjects/busy/versions").json()
    assert kept[: answered["registry"]] == list(range(1, answered["registry"] + 1))
    table = httpx.get(f"{program.url}{paths['catalog']}").json()
    assert int(table["metadata"]["properties"]["number"]) in (answered["catalog"], answered["catalog"] + 1)
