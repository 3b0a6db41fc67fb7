"""A deployment that is killed between any two requests or notes leaves what the next plan puts right."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from dashboard.deploy.apply import destroy_plan_for, plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.resources import Id
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import applied, carried_out, cloud_on, destroyed, flink_of, registry_of, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

WATERMARK = "orders-watermark"
every_step = pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.long)])
"""Of all requests and notes; the quick run is killed at some of them."""


class Killed(BaseException):
    """As `kill -9`: nothing that would clean up gets anywhere."""


class Doom:
    """Lets so many requests and notes through, and then none."""

    def __init__(self, kafka: FakeKafka) -> None:
        self._lock = threading.Lock()
        self.left = 1_000_000
        self.dead = False
        kafka.on_write = self.step

    def step(self) -> None:
        with self._lock:
            self.left -= 1
            self.dead = self.dead or self.left < 0
        if self.dead:
            raise Killed

    def transport(self) -> httpx.BaseTransport:
        return _Doomed(self)

    def lift(self) -> None:
        self.left, self.dead = 1_000_000, False


class _Doomed(httpx.BaseTransport):
    def __init__(self, doom: Doom) -> None:
        # of plain http: loading the certificates that this would trust takes longer than all its requests
        trusting_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), verify=trusting_nobody)
        self._doom = doom

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._doom.step()
        return self._inner.handle_request(request)


@pytest.fixture
def doom(kafka: FakeKafka) -> Doom:
    return Doom(kafka)


@pytest.fixture
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        cloud.delays.deleting = cloud.delays.pending = cloud.delays.listed_after_delete = 0.02
        yield cloud


def small(*, with_code: bool = True) -> Pipeline:
    """Little enough to be killed at each of its requests: a filled table, and a watermark on a table of others."""
    whole = load_pipeline(PipelineSettings())
    names = (WATERMARK, "unique-payments-maintenance", "revenue-summary", "revenue-summary-materializer")
    kept = [one for one in whole.statements if one.name in names or one.name == "completed-orders"]
    if not with_code:
        texts = (re.sub(r" +confirmation_code( STRING NOT NULL)?,\n", "", one.text) for one in kept)
        kept = [replace(one, text=text) for one, text in zip(kept, texts, strict=True)]
    return replace(whole, statements=kept, tableflow_topics=[])


def put_right(target: Callable[[], ConfluentTarget]) -> None:
    """Plans and applies with its losses; then nothing is left to do."""
    again = target()
    plan = plan_for(again)
    carried_out(again, plan, *plan.losses)
    assert [f"{step.id}: {step.action}, {step.why}" for step in plan_for(target()).changes] == []


@every_step
def test_an_apply_that_is_killed_anywhere_is_put_right_by_the_next(
    cloud: FakeConfluentCloud, kafka: FakeKafka, doom: Doom, stride: int
) -> None:
    """The filled table, dropped and made anew in another shape, in turns."""
    shapes = [small(), small(with_code=False)]
    turn = 0

    def target() -> ConfluentTarget:
        return target_on(cloud, kafka, shapes[turn % 2], transport=doom.transport)

    applied(target())

    for steps in range(stride // 2, 300, stride):
        turn += 1
        new = target()
        plan = plan_for(new)
        doom.left = steps
        try:
            carried_out(new, plan, *plan.losses)
        except Killed:
            doom.lift()
            put_right(target)
        else:
            doom.lift()
            break
    assert steps > 15, "it was hardly ever killed"
    assert plan_for(target()).changes == []


@every_step
def test_a_destroy_that_is_killed_anywhere_is_finished_by_the_next(
    cloud: FakeConfluentCloud, kafka: FakeKafka, doom: Doom, stride: int
) -> None:
    pipeline = small()
    before, subjects = set(kafka.topics), set(registry_of(cloud).subjects())

    def target() -> ConfluentTarget:
        return target_on(cloud, kafka, pipeline, transport=doom.transport)

    for steps in range(stride // 2, 300, stride):
        put_right(target)
        new = target()
        plan = destroy_plan_for(new)
        names = {step.data for step in plan.steps if step.data}
        plan = destroy_plan_for(new, delete=names)
        doom.left = steps
        try:
            carried_out(new, plan, *names)
        except Killed:
            doom.lift()
            if steps // stride % 2:
                # every other time all is made again from what is left
                continue
            left = destroy_plan_for(target())
            destroyed(target(), *{step.data for step in left.steps if step.data})
        else:
            doom.lift()
            target().forget()
            break
        assert "sales-trends-ledger" not in kafka.topics
        assert set(kafka.topics) == before
        assert set(registry_of(cloud).subjects()) == subjects
        assert cloud.tables["shiftleft.public.orders"].watermark is None
        assert registry_of(cloud).keks() == []
        helpers = [name for name, one in cloud.statements.items() if one.phase != "DELETING" and "sales" in name]
        assert [name for name in helpers if not name.startswith("sales-trends-tables")] == []


def test_the_watermark_of_a_table_of_others_is_the_default_again(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    target = target_on(cloud, kafka, small())
    applied(target)
    orders = "shiftleft.public.orders"
    assert cloud.tables[orders].watermark is not None
    destroyed(target_on(cloud, kafka, small()))
    assert cloud.tables[orders].watermark is None
    assert orders in kafka.topics


def test_the_watermark_that_somebody_else_set_is_asked_about_and_stays(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    text = next(one.text for one in small().statements if one.name == WATERMARK)
    flink_of(cloud).create("theirs", text, {}, {})
    target = target_on(cloud, kafka, small())
    while cloud.statements["theirs"].phase != "COMPLETED":
        pass
    found = target.found()
    assert not found[Id("statement", WATERMARK)].ours
    assert Id("statement", WATERMARK) not in {step.id for step in destroy_plan_for(target).steps}


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED"])
def test_a_helper_that_was_left_behind_is_in_nobodys_way(cloud: FakeConfluentCloud, kafka: FakeKafka, end: str) -> None:
    applied(target_on(cloud, kafka, small()))
    name = "sales-trends-drop-unique-payments-maintenance"
    if end == "FAILED":
        cloud.fail_statement(name, "the broker was away")
    flink_of(cloud).create(
        name, "DROP TABLE IF EXISTS `nothing`", {}, {"user.confluent.io/sales-trends-helper": "true"}
    )
    while cloud.statements[name].phase != end:
        pass
    assert plan_for(target_on(cloud, kafka, small())).changes == []
    destroyed(target_on(cloud, kafka, small()), "unique_payments")
    assert "unique_payments" not in cloud.tables
