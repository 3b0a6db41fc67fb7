"""The DEK registry over HTTP: what each route answers, and what it refuses."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from dashboard.local.registry import keys
from dashboard.local.registry.calls import LARGEST_BODY_BYTES
from dashboard.local.registry.key_store import KeyStore

KEKS = "/dek-registry/v1/keks"
AWS = "arn:aws:kms:us-east-1:1:key/2"
PERMANENT = {"permanent": "true"}
DELETED = {"deleted": "true"}
MATERIAL = "bm90IGEga2V5"


@pytest.fixture
def name() -> str:
    """A kek that no other test uses."""
    return f"key_{uuid4().hex}"


@pytest.fixture
def kek(http: httpx.Client, name: str) -> str:
    """The path of a kek that is there."""
    made = http.post(KEKS, json={"name": name, "kmsType": "local-kms", "kmsKeyId": "mine"})
    assert made.status_code == 200, made.text
    return f"{KEKS}/{name}"


def dek(http: httpx.Client, kek: str, subject: str = "payments-value", **body: Any) -> httpx.Response:
    return http.post(f"{kek}/deks/{quote(subject, safe='')}", json={"encryptedKeyMaterial": MATERIAL} | body)


def refused(response: httpx.Response) -> int:
    """The error code, in the registry's error form."""
    content = response.json()
    assert content.keys() == {"error_code", "message"}
    assert response.status_code == int(str(content["error_code"])[:3])
    assert response.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    return int(content["error_code"])


# keks


def test_a_kek_is_answered_as_it_was_made_with_its_type_as_the_registry_spells_it(
    http: httpx.Client, name: str
) -> None:
    sent = {"name": name, "kmsType": "AWS_KMS", "kmsKeyId": AWS, "kmsProps": {"z": "1", "a": "2"}, "doc": "cards"}

    made = http.post(KEKS, json=sent)

    assert made.status_code == 200
    shown = made.json()
    assert isinstance(shown.pop("ts"), int)
    assert shown == sent | {"kmsType": "aws-kms", "shared": False}
    assert list(shown["kmsProps"]) == ["a", "z"]
    assert http.get(f"{KEKS}/{name}").json() == made.json()


def test_what_a_kek_has_not_is_left_out(http: httpx.Client, kek: str) -> None:
    assert http.get(kek).json().keys() == {"name", "kmsType", "kmsKeyId", "kmsProps", "shared", "ts"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"name": ""},
        {"name": "9lives"},
        {"name": "a/b"},
        {"name": "a b"},
        {"name": "k" * 257},
        {"name": ["k"]},
        {"kmsType": None},
        {"kmsKeyId": None},
        {"kmsKeyId": ""},
        {"kmsType": "aws-kms", "kmsKeyId": "mine"},
        {"kmsType": "hcvault", "kmsKeyId": "mine"},
        {"kmsProps": ["a"]},
        {"kmsProps": {"a": 1}},
        {"doc": 1},
        {"shared": True},
    ],
    ids=str,
)
def test_a_kek_that_is_none_is_refused_and_not_kept(http: httpx.Client, name: str, change: dict[str, Any]) -> None:
    sent = {"name": name, "kmsType": "local-kms", "kmsKeyId": "mine"} | change

    assert refused(http.post(KEKS, json={key: part for key, part in sent.items() if part is not None})) == 42271
    assert refused(http.get(f"{KEKS}/{name}")) == 40470


def test_a_shared_kek_is_refused_with_what_to_do(http: httpx.Client, kek: str, name: str) -> None:
    shared = {"name": f"{name}_shared", "kmsType": "local-kms", "kmsKeyId": "mine", "shared": True}

    for refusal in (http.post(KEKS, json=shared), http.put(kek, json={"shared": True}), http.post(f"{kek}/test")):
        assert refused(refusal) == 42271
        assert "knows no key of any KMS" in refusal.json()["message"]
    assert http.get(kek).json()["shared"] is False


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": "\\ud800"}', b'{"doc": "\\udfff"}'])
def test_a_body_that_is_no_object_or_no_text_is_a_bad_request(http: httpx.Client, kek: str, body: bytes) -> None:
    for path in (KEKS, f"{kek}/deks", f"{kek}/deks/payments-value"):
        assert refused(http.post(path, content=body)) == 400
    assert refused(http.put(kek, content=body)) == 400


def test_a_body_beyond_the_limit_is_refused(http: httpx.Client, kek: str) -> None:
    assert refused(dek(http, kek, encryptedKeyMaterial="x" * LARGEST_BODY_BYTES)) == 42209


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/undelete"),
        ("POST", "/test"),
        ("GET", "/deks"),
        ("POST", "/deks"),
        ("POST", "/deks/a"),
        ("GET", "/deks/a"),
        ("DELETE", "/deks/a"),
        ("POST", "/deks/a/undelete"),
        ("GET", "/deks/a/versions"),
        ("GET", "/deks/a/versions/1"),
        ("GET", "/deks/a/versions/latest"),
        ("DELETE", "/deks/a/versions/1"),
        ("POST", "/deks/a/versions/1/undelete"),
    ],
)
def test_a_kek_that_is_not_there_is_not_found_and_one_that_could_not_be_is_refused(
    http: httpx.Client, name: str, method: str, rest: str
) -> None:
    body = {"subject": "a", "encryptedKeyMaterial": MATERIAL}

    assert refused(http.request(method, f"{KEKS}/{name}{rest}", json=body)) == 40470
    assert refused(http.request(method, f"{KEKS}/not%20a%20name{rest}", json=body)) == 42271


def test_a_kek_is_taken_once_and_names_are_listed_in_pages(http: httpx.Client, kek: str, name: str) -> None:
    names = [name, f"{name}_2", f"{name}_3"]
    for one in names[1:]:
        http.post(KEKS, json={"name": one, "kmsType": "local-kms", "kmsKeyId": "mine"}).raise_for_status()

    assert refused(http.post(KEKS, json=http.get(kek).json())) == 40971
    listed = http.get(KEKS).json()
    at = listed.index(name)
    assert listed[at : at + 3] == names
    assert http.get(KEKS, params={"offset": at + 1, "limit": 1}).json() == names[1:2]
    assert refused(http.get(KEKS, params={"offset": "one"})) == 400


def test_a_kek_goes_into_the_bin_comes_back_and_goes_for_good(http: httpx.Client, kek: str, name: str) -> None:
    assert refused(http.delete(kek, params=PERMANENT)) == 40471
    gone = http.delete(kek)
    assert (gone.status_code, gone.content) == (204, b"")
    assert http.delete(kek).status_code == 204
    assert refused(http.get(kek)) == 40470
    assert refused(http.put(kek, json={"doc": "no"})) == 40470
    assert http.get(kek, params=DELETED).json()["deleted"] is True
    assert name not in http.get(KEKS).json()
    assert name in http.get(KEKS, params=DELETED).json()

    assert http.post(f"{kek}/undelete").status_code == 204
    assert "deleted" not in http.get(kek).json()

    assert http.delete(kek).status_code == 204
    assert http.delete(kek, params=PERMANENT).status_code == 204
    assert refused(http.get(kek, params=DELETED)) == 40470
    assert name not in http.get(KEKS, params=DELETED).json()


def test_the_very_same_kek_comes_back_from_the_bin_by_being_made_again(http: httpx.Client, kek: str) -> None:
    sent = {key: part for key, part in http.get(kek).json().items() if key != "ts"}
    http.delete(kek)

    for change in ({"kmsKeyId": "other"}, {"doc": ""}, {"kmsProps": {"a": "b"}}):
        assert refused(http.post(KEKS, json=sent | change)) == 40971
    assert http.post(KEKS, json=sent).status_code == 200
    assert "deleted" not in http.get(kek).json()


def test_of_a_kek_its_properties_and_text_are_changed_and_never_which_key_it_is(http: httpx.Client, kek: str) -> None:
    before = http.get(kek).json()
    assert http.put(kek, json={}).json() == before

    changed = http.put(kek, json={"doc": "cards", "kmsProps": {"a": "b"}, "kmsKeyId": "other"}).json()
    assert (changed["doc"], changed["kmsProps"], changed["kmsKeyId"]) == ("cards", {"a": "b"}, "mine")
    assert http.get(kek).json() == changed
    assert http.put(kek, json={"doc": "card numbers"}).json()["kmsProps"] == {"a": "b"}
    emptied = http.put(kek, json={"doc": None, "kmsProps": None}).json()
    assert emptied | {"ts": 0} == before | {"ts": 0}
    assert refused(http.put(kek, json={"kmsProps": {"a": None}})) == 42271


# deks


def test_a_dek_is_answered_as_it_was_made_and_never_with_a_key_in_clear(http: httpx.Client, kek: str) -> None:
    made = dek(http, kek, keyMaterial="never kept")

    assert made.status_code == 200
    shown = made.json()
    assert isinstance(shown.pop("ts"), int)
    where = {"kekName": kek.rpartition("/")[2], "subject": "payments-value", "version": 1, "algorithm": "AES256_GCM"}
    assert shown == where | {"encryptedKeyMaterial": MATERIAL}
    one = f"{kek}/deks/payments-value"
    for path in (one, f"{one}/versions/1", f"{one}/versions/latest", f"{one}/versions/-1"):
        assert http.get(path).json() == made.json()


def test_older_clients_send_the_subject_in_the_body(http: httpx.Client, kek: str) -> None:
    body = {"subject": "a/b", "version": 1, "algorithm": "AES256_SIV", "encryptedKeyMaterial": MATERIAL}

    assert http.post(f"{kek}/deks", json=body).json()["subject"] == "a/b"
    assert http.get(f"{kek}/deks/a%2Fb", params={"algorithm": "AES256_SIV"}).status_code == 200
    assert refused(http.post(f"{kek}/deks", json={"encryptedKeyMaterial": MATERIAL})) == 42271


@pytest.mark.parametrize(
    "change",
    [
        {"encryptedKeyMaterial": None},
        {"encryptedKeyMaterial": ""},
        {"encryptedKeyMaterial": 1},
        {"algorithm": "ROT13"},
        {"algorithm": ["AES256_GCM"]},
        {"version": 0},
        {"version": -1},
        {"version": "1"},
        {"version": True},
    ],
    ids=str,
)
def test_a_dek_that_is_none_is_refused_and_not_kept(http: httpx.Client, kek: str, change: dict[str, Any]) -> None:
    assert refused(dek(http, kek, **change)) == 42271
    assert http.get(f"{kek}/deks", params=DELETED).json() == []


def test_versions_and_algorithms_of_a_subject_are_keys_of_their_own(http: httpx.Client, kek: str) -> None:
    one = f"{kek}/deks/payments-value"
    for version in (1, 3, 2):
        dek(http, kek, version=version, encryptedKeyMaterial=f"v{version}").raise_for_status()
    for algorithm in ("AES128_GCM", "AES256_SIV"):
        dek(http, kek, algorithm=algorithm, encryptedKeyMaterial=algorithm).raise_for_status()

    assert http.get(f"{one}/versions").json() == [1, 2, 3]
    assert http.get(f"{one}/versions", params={"offset": 1, "limit": 1}).json() == [2]
    assert http.get(f"{one}/versions", params={"algorithm": "AES256_SIV"}).json() == [1]
    assert http.get(f"{one}/versions/latest").json()["encryptedKeyMaterial"] == "v3"
    assert http.get(one).json()["encryptedKeyMaterial"] == "v1", "without a version it is the first, as at Confluent's"
    assert http.get(one, params={"algorithm": "AES128_GCM"}).json()["encryptedKeyMaterial"] == "AES128_GCM"
    assert refused(http.get(f"{one}/versions/4")) == 40470
    for wrong in ("0", "one", "2147483648"):
        assert refused(http.get(f"{one}/versions/{wrong}")) == 42202
    assert refused(http.get(one, params={"algorithm": "ROT13"})) == 42271
    assert http.get(f"{kek}/deks/none/versions").json() == []


def test_a_dek_is_taken_once_unless_it_is_wrapped_anew(http: httpx.Client, kek: str) -> None:
    dek(http, kek).raise_for_status()

    assert refused(dek(http, kek)) == 40971
    assert refused(dek(http, kek, encryptedKeyMaterial=None)) == 40971
    assert refused(dek(http, kek, encryptedKeyMaterial="b3RoZXI=")) == 40971
    again = http.post(f"{kek}/deks/payments-value?rewrap=true", json={"encryptedKeyMaterial": "b3RoZXI="})
    assert again.status_code == 200
    assert http.get(f"{kek}/deks/payments-value").json()["encryptedKeyMaterial"] == "b3RoZXI="
    assert http.get(f"{kek}/deks/payments-value/versions").json() == [1]


def test_a_dek_goes_into_the_bin_comes_back_and_goes_for_good(http: httpx.Client, kek: str) -> None:
    one = f"{kek}/deks/payments-value"
    for version in (1, 2):
        dek(http, kek, version=version).raise_for_status()
    assert refused(http.delete(one, params=PERMANENT)) == 40471
    assert http.delete(f"{one}/versions/2").status_code == 204
    assert refused(http.delete(one, params=PERMANENT)) == 40471
    assert http.get(f"{one}/versions/latest").json()["version"] == 1
    assert http.get(f"{one}/versions/latest", params=DELETED).json()["version"] == 2
    assert http.get(f"{one}/versions/2", params=DELETED).json()["deleted"] is True
    assert refused(http.get(f"{one}/versions/2")) == 40470

    assert http.delete(one).status_code == 204
    assert http.get(f"{kek}/deks").json() == []
    assert http.get(f"{kek}/deks", params=DELETED).json() == ["payments-value"]
    assert http.get(f"{one}/versions").json() == []
    assert http.get(f"{one}/versions", params=DELETED).json() == [1, 2]
    assert http.post(f"{one}/versions/1/undelete").status_code == 204
    assert http.get(f"{one}/versions").json() == [1]
    assert http.post(f"{one}/undelete").status_code == 204
    assert http.get(f"{one}/versions").json() == [1, 2]

    assert http.delete(one).status_code == 204
    assert http.delete(f"{one}/versions/1", params=PERMANENT).status_code == 204
    assert http.get(f"{one}/versions", params=DELETED).json() == [2]
    assert http.delete(one, params=PERMANENT).status_code == 204
    for gone in (http.delete(one), http.post(f"{one}/undelete"), http.delete(f"{one}/versions/2")):
        assert refused(gone) == 40470


def test_a_deletion_names_its_version_by_number(http: httpx.Client, kek: str) -> None:
    """Confluent's answers 204 to `latest` and deletes nothing."""
    dek(http, kek).raise_for_status()
    one = f"{kek}/deks/payments-value/versions"

    assert refused(http.delete(f"{one}/latest")) == 42271
    assert refused(http.post(f"{one}/latest/undelete")) == 42271
    assert http.get(one).json() == [1]


def test_the_very_same_dek_comes_back_from_the_bin_by_being_made_again_and_no_other(
    http: httpx.Client, kek: str
) -> None:
    dek(http, kek).raise_for_status()
    http.delete(f"{kek}/deks/payments-value")

    assert refused(dek(http, kek, encryptedKeyMaterial="b3RoZXI=")) == 40971
    assert dek(http, kek).status_code == 200
    assert "deleted" not in http.get(f"{kek}/deks/payments-value").json()


def test_a_kek_stays_until_its_deks_are_gone_and_for_good_until_their_bin_is_empty(
    http: httpx.Client, kek: str
) -> None:
    one = f"{kek}/deks/payments-value"
    dek(http, kek, algorithm="AES256_SIV").raise_for_status()
    siv = {"algorithm": "AES256_SIV"}

    assert refused(http.delete(kek)) == 42272
    assert http.delete(one, params=siv).status_code == 204
    assert http.delete(kek).status_code == 204
    assert refused(http.get(one, params=siv)) == 40470
    assert refused(dek(http, kek, "other")) == 40470
    assert refused(http.post(f"{one}/undelete", params=siv)) == 40472
    assert refused(http.post(f"{one}/versions/1/undelete", params=siv)) == 40472
    assert refused(http.delete(kek, params=PERMANENT)) == 42272
    assert http.delete(one, params=siv | PERMANENT).status_code == 204
    assert http.delete(kek, params=PERMANENT).status_code == 204


def test_subjects_hold_any_characters_but_control_characters(http: httpx.Client, kek: str) -> None:
    odd = ["a/versions/1", "versions", "é %2F+?#&", "  ", "\u2028", "'; DROP TABLE deks; --", "x" * 2000]
    for subject in odd:
        assert dek(http, kek, subject).json()["subject"] == subject

    assert http.get(f"{kek}/deks").json() == sorted(odd)
    assert http.get(f"{kek}/deks", params={"offset": 1, "limit": 2}).json() == sorted(odd)[1:3]
    for subject in odd:
        path = f"{kek}/deks/{quote(subject, safe='')}"
        assert http.get(f"{path}/versions/1").json()["subject"] == subject
        assert http.delete(path).status_code == 204
    assert http.get(f"{kek}/deks").json() == []
    for subject in ("a%00b", "a%0Ab", "a%7Fb", "a%C2%85b"):
        assert refused(http.post(f"{kek}/deks/{subject}", json={"encryptedKeyMaterial": MATERIAL})) == 42271


def test_keks_are_listed_by_the_subjects_they_have_deks_of(http: httpx.Client, kek: str, name: str) -> None:
    dek(http, kek, f"{name}-value").raise_for_status()
    dek(http, kek, f"{name}-key").raise_for_status()

    assert http.get(KEKS, params={"subjectPrefix": name}).json() == [name]
    assert http.get(KEKS, params={"subjectPrefix": [f"{name}-k", "none"]}).json() == [name]
    http.delete(f"{kek}/deks/{name}-key")
    assert http.get(KEKS, params={"subjectPrefix": f"{name}-k"}).json() == []
    assert http.get(KEKS, params={"subjectPrefix": f"{name}-k"} | DELETED).json() == [name]


def test_a_context_of_their_own_is_refused_or_its_keys_would_be_mixed_with_all_others(http: httpx.Client) -> None:
    assert refused(http.get(KEKS, params={"context": ".other"})) == 42205
    assert http.get(KEKS, params={"context": "."}).status_code == 200


# limits and many at once


@pytest.fixture
def _full(http: httpx.Client, kek: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dek(http, kek).raise_for_status()
    monkeypatch.setattr(keys, "MOST_KEYS", 1)


@pytest.mark.usefixtures("_full")
def test_more_keys_than_the_registry_holds_are_refused(http: httpx.Client, kek: str, name: str) -> None:
    another = {"name": f"{name}_2", "kmsType": "local-kms", "kmsKeyId": "mine"}

    assert refused(http.post(KEKS, json=another)) == 40972
    assert refused(dek(http, kek, "other")) == 40972


@pytest.mark.parametrize("read_first", ["kek", "versions"])
def test_of_two_that_make_the_same_key_at_once_exactly_one_wins(
    address: str, http: httpx.Client, kek: str, read_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has read that there is none gives the other time to read the same."""
    meeting = threading.Barrier(2)
    read = getattr(KeyStore, read_first)

    def read_and_linger(store: KeyStore, *which: str) -> object:
        found = read(store, *which)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.5)
        return found

    def make(own: str) -> int:
        with httpx.Client(base_url=address) as client:
            if read_first == "versions":
                return dek(client, kek, encryptedKeyMaterial=own).status_code
            same_name = {"name": f"{kek.rpartition('/')[2]}_2", "kmsType": "local-kms", "kmsKeyId": own}
            return client.post(KEKS, json=same_name).status_code

    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(KeyStore, read_first, read_and_linger)
        statuses = list(pool.map(make, ("first", "second")))

    assert sorted(statuses) == [200, 409]
    winner = ("first", "second")[statuses.index(200)]
    if read_first == "versions":
        assert http.get(f"{kek}/deks/payments-value").json()["encryptedKeyMaterial"] == winner
    else:
        assert http.get(f"{kek}_2").json()["kmsKeyId"] == winner
