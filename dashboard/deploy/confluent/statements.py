"""Statements and their tables on Confluent Cloud: found, made, watched and taken away.

What is ours carries a label and the digest of what it was made of, because the service rewrites a statement's text.
Statements that only make or alter a table are forgotten by the service after 30 days, so a table is judged by what
INFORMATION_SCHEMA says of it, and that it is ours by the ledger.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from dashboard.deploy.confluent import versions as confluent_versions
from dashboard.deploy.confluent.joins import check_interval_join
from dashboard.deploy.confluent.modes import Modes
from dashboard.deploy.confluent.versions import CARRY_OVER, LABEL, NAME_LABEL
from dashboard.deploy.confluent.wait import STATEMENT_SECONDS, Patience
from dashboard.deploy.confluent.whose import check_name_is_free, check_none_is_lost, divided, uids_of
from dashboard.deploy.ledger import BEING_REMOVED
from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.plan import Action, Step
from dashboard.deploy.resources import Found, Id, State, Wanted
from dashboard.errors import DeployError
from dashboard.remotes import cloud_statement
from dashboard.remotes.cloud_flink import CloudFlink, same_text
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.cloud_statement import Table

DIGEST_LABEL = "user.confluent.io/sales-trends-digest"
_HELPER = "user.confluent.io/sales-trends-helper"
"""Of a statement that only undoes what another one did: nothing of the pipeline, and so never an orphan."""
TEXT = "text"
"""Names the fact that a statement runs another text than its label says."""
_STATES: Mapping[str, State] = {"RUNNING": "ready", "STOPPED": "stopped", "FAILED": "failed"}
"""Of a statement that goes on running; any other phase, also one that we do not know, is shown as it is."""
_STABLE_LOOKS = 2
_WATERMARK = re.compile(r"ALTER TABLE `?(?P<table>[\w.]+)`? MODIFY WATERMARK FOR (?P<column>\w+) AS (?P<expression>.+)")
_OPTION = re.compile(r"ALTER TABLE `?(?P<table>[\w.]+)`? SET \('(?P<key>[^']+)' = '(?P<value>[^']*)'\)")


class Statements:
    """The pipeline's statements in one environment, as they were at the last `look`."""

    def __init__(self, pipeline: Pipeline, flink: CloudFlink, registry: CloudRegistry, patience: Patience) -> None:
        self._pipeline = pipeline
        self._flink = flink
        self._registry = registry
        self._patience = patience
        self._described = {one.name: one for one in pipeline.statements}
        self._given = {topic.name for topic in pipeline.topics if topic.given}
        self.tables: Mapping[str, Table] = {}
        """By name."""
        self.versions: dict[str, list[cloud_statement.Statement]] = {}
        """By name in the files, the oldest first; not those that are being deleted or work elsewhere."""
        self._elsewhere: Mapping[str, cloud_statement.Statement] = {}
        """By name, which is taken: statements that work on another database of the environment."""
        self._noted: Mapping[Id, str] = {}

    def look(self, noted: Mapping[Id, str], uids: Collection[str] = ()) -> None:
        """All statements, in pages of 100: ours are found by label, or by `uids`, and what is in their way by name."""
        self._noted = noted
        # lists go on showing for a moment what is gone
        live = [one for one in self._flink.statements() if one.phase != cloud_statement.DELETING]
        here, elsewhere = divided(self._flink, live, uids)
        self.versions = confluent_versions.by_name(here)
        self._elsewhere = {one.name: one for one in elsewhere}

    def uids(self) -> dict[Id, tuple[str, ...]]:
        return uids_of(self.versions)

    def check_none_is_lost(self) -> None:
        check_none_is_lost(self._elsewhere.values(), self._noted)

    def look_at_tables(self) -> None:
        """All tables, in one query."""
        self.tables = self._flink.tables()

    def found(self, wanted: Wanted) -> Found | None:
        id_ = wanted.id
        statement, there = self._described[id_.name], self._newest(id_.name)
        if not statement.runs:
            return self._found_table(id_, statement)
        if there is None and statement.created_table in self.tables:
            # made anew, it would find its table in its way
            why = f"only its table {statement.created_table} is left"
            return Found(id_, id_ in self._noted, self._noted.get(id_), "failed", "deleted", why, resumes=False)
        found = self._found_running(id_, there)
        if found is None:
            return None
        if found.state == "failed" or found.digest != wanted.digest:
            return found
        if not same_text(found.text, statement.text):
            return replace(found, facts={TEXT: "not the one that it was made of; somebody made it anew by its name"})
        return found

    def orphans(self) -> dict[Id, Found]:
        """Statements with our label that no file describes."""
        orphans = {}
        for name, found in self.versions.items():
            newest = found[-1]
            if LABEL in newest.labels and name not in self._described:
                id_, digest = Id("statement", name), newest.labels.get(DIGEST_LABEL)
                ended = newest.phase in cloud_statement.ENDED
                orphans[id_] = Found(id_, True, digest, "stopped" if ended else "ready", newest.phase, newest.detail)
        return orphans

    def check(self, name: str) -> None:
        """A dry run, if its tables exist; what others will make cannot be tried yet.

        Its name must not be that of a statement that works on another database.
        """
        statement = self._described[name]
        check_name_is_free(name, self._elsewhere)
        check_interval_join(self._pipeline, statement, self.tables)
        if statement.kind != "insert" or any(one not in self.tables for one in self._pipeline.used(statement)):
            return
        answer = self._flink.dry_run(statement.text, statement.properties)
        upsert = Modes(self._pipeline, self._flink, self.tables).of(statement.filled_table or "") == "upsert"
        if answer.is_append_only is False and not upsert:
            raise DeployError(
                f"The statement {name} would change rows that it has written.",
                "Its table is read as append-only. See how it groups or joins.",
            )

    def clear(self, id_: Id) -> None:
        """What a removal left behind that somebody killed; before the ledger calls the thing whole again."""
        statement = self._described.get(id_.name)
        table = statement.created_table if statement else None
        if table and table not in self.tables and self._noted.get(id_) == BEING_REMOVED:
            self._delete_subjects(table)

    def make(self, step: Step, wanted: Wanted) -> None:
        name, statement = step.id.name, self._described[step.id.name]
        labels = {LABEL: "true", DIGEST_LABEL: wanted.digest, NAME_LABEL: name}
        if step.action in (Action.RESUME, Action.PAUSE):
            self._go_on(name, self._live_name(name))
        elif step.action is Action.REPLACE_KEEPING_OFFSETS and statement.runs:
            old = self._settled(name)
            new = confluent_versions.next_version(name, old)
            properties = {**statement.properties, CARRY_OVER: old}
            self.versions[name].append(self._flink.create(new, statement.text, properties, labels))
            self._flink.stop(old)
        elif step.action is Action.RESTART:
            # a replacement that somebody killed: the newest one waits for those before it
            self._stop_older(name)
        else:
            # finished or failed, it keeps its name
            self._delete_all(name)
            self.versions[name] = [self._flink.create(name, statement.text, statement.properties, labels)]

    def wait_ready(self, name: str, waits_for: Callable[[str], None]) -> None:
        """COMPLETED for what makes or alters a table, RUNNING for a moment for what goes on."""
        wanted, looks = ("RUNNING", _STABLE_LOOKS) if self._described[name].runs else ("COMPLETED", 1)
        seen, live = 0, self._live_name(name)

        def ready() -> bool:
            nonlocal seen
            statement = self._flink.statement(live)
            if statement is None:
                raise DeployError(f"The statement {name} was deleted meanwhile.", "Plan and apply again.")
            if statement.phase in cloud_statement.FAILED:
                newest = next(iter(self._flink.exceptions(live)), "")
                raise DeployError(f"The statement {name} failed: {statement.detail or newest or 'no reason is given'}.")
            seen = seen + 1 if statement.phase == wanted else 0
            waits_for(f"{name}: {statement.phase} {statement.detail}".strip())
            return seen >= looks

        self._patience.until(ready, f"The statement {name} is not {wanted}")
        self._delete_older(name)

    def stop(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        """As the service does it: the live version keeps its state and is STOPPED a little later."""
        live = self.of_ours(id_)
        if live.phase in cloud_statement.OVER:
            raise DeployError(f"The statement {id_.name} is {live.phase}, so there is nothing to stop.", _next(live))

        def stopped() -> bool:
            there = self._flink.statement(live.name)
            if there is None or there.phase in cloud_statement.FAILED:
                why = there.detail.rstrip(".") if there else "it was deleted meanwhile"
                raise DeployError(f"The statement {id_.name} failed while it stopped: {why or 'no reason is given'}.")
            waits_for(f"{id_.name}: {there.phase} {there.detail}".strip())
            return there.phase == "STOPPED"

        self._flink.stop(live.name)
        self._patience.until(stopped, f"The statement {id_.name} is not STOPPED")

    def resume(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        """As the service does it, from where the live version stopped."""
        live = self.of_ours(id_)
        if live.phase != "STOPPED" and live.phase in cloud_statement.OVER:
            raise DeployError(f"The statement {id_.name} is {live.phase}, so it cannot be resumed.", _next(live))
        if live.phase != "STOPPED" and not live.stopping:
            raise DeployError(f"The statement {id_.name} is {live.phase}, so there is nothing to resume.")
        self._go_on(id_.name, live.name)
        self.wait_ready(id_.name, waits_for)

    def of_ours(self, id_: Id) -> cloud_statement.Statement:
        """The live version; raises DeployError when there is none, or one that a stop or resume would harm."""
        there, state = self._newest(id_.name), "is being removed"
        if there is None:
            raise DeployError(f"The statement {id_.name} is not there.", "`sales-trends plan` shows what makes it.")
        if LABEL not in there.labels:
            raise DeployError(
                f"Nothing says that we made the statement {id_.name}, so it is left to whoever did.",
                f"If it is ours, `sales-trends apply --adopt {id_.name}` takes it over.",
            )
        if len(self.versions[id_.name]) > 1:
            state = "has not taken over from the version before it yet"
        elif self._noted.get(id_) != BEING_REMOVED:
            return there
        raise DeployError(f"The statement {id_.name} {state}.", "The next `sales-trends apply` ends that.")

    def remove(self, name: str, *, data: bool) -> bool:
        """Whether nothing is left; without `data` the table is, which then is no longer whole."""
        check_none_is_lost(self._elsewhere.values(), self._noted.keys() & {Id("statement", name)})
        self._delete_all(name)
        statement = self._described.get(name)
        if statement is None:
            return True
        if statement.created_table is not None:
            if not data:
                return False
            self._undo(f"drop-{name}", f"DROP TABLE IF EXISTS `{statement.created_table}`")
            # they outlive the table, and one of another shape would keep it from being made again
            self._delete_subjects(statement.created_table)
        elif (table := self._altered(statement)) in self._given and table in self._flink.tables():
            # the table of others stays, with the watermark that it had by default
            self._undo(f"restore-{name}", f"ALTER TABLE `{table}` DROP WATERMARK")
        return True

    def offsets(self, name: str) -> dict[str, dict[int, int]]:
        """What a statement had read at the last look, by topic and partition."""
        there = self._newest(name)
        return cloud_statement.read_offsets(there) if there else {}

    def delete_helpers(self) -> None:
        """Those that are left because somebody was killed while they ran."""
        for one in filter(self._flink.works_here, self._flink.statements(f"{_HELPER}=true")):
            self._flink.delete(one.name)

    def _found_running(self, id_: Id, there: cloud_statement.Statement | None) -> Found | None:
        if there is None:
            return None
        warnings = [
            f"{one.severity} {one.reason}: {one.message}" for one in there.warnings if one.severity == "CRITICAL"
        ]
        if there.scaling_state == "POOL_EXHAUSTED":
            warnings.append("the compute pool is exhausted")
        noted = self._noted.get(id_)
        # without our label nothing tells what it was made of: taken over, it is made anew
        digest = noted if noted == BEING_REMOVED else there.labels.get(DIGEST_LABEL, "")
        phase = "STOPPING" if there.stopping else there.phase
        # asked to stop, it will not go on by itself
        state: State = "stopped" if there.stopping else _STATES.get(phase, "changing")
        facts = {"warning": "; ".join(warnings)} if warnings and state == "ready" else {}
        ours = LABEL in there.labels
        flow = digest.partition("-")[0] if "-" in digest else ""
        found = Found(
            id_,
            ours,
            digest,
            state,
            phase,
            there.detail,
            facts=facts,
            since=there.created_at,
            flow=flow,
            text=there.text,
        )
        if state == "failed":
            # it cannot be resumed: it is made anew, without what it knew
            return replace(found, resumes=False)
        if len(self.versions[id_.name]) > 1:
            return replace(found, state="failed", trouble="it has not taken over from the version before it yet")
        return found

    def _go_on(self, name: str, live: str) -> None:
        def stopped() -> bool:
            there = self._flink.statement(live)
            return there is None or not there.stopping

        # the service takes no resume before
        self._patience.until(stopped, f"The statement {name} is not STOPPED")
        self._flink.resume(live)

    def _newest(self, name: str) -> cloud_statement.Statement | None:
        return self.versions[name][-1] if name in self.versions else None

    def _live_name(self, name: str) -> str:
        there = self._newest(name)
        return there.name if there else name

    def _settled(self, name: str) -> str:
        """The live name of the one version that is left when an earlier replacement has been ended or undone."""
        while len(self.versions[name]) > 1:
            newest = self._flink.statement(self._live_name(name))
            if newest is None or newest.phase in cloud_statement.FAILED:
                # the one before it has stopped at the latest, and knows how far it came
                self._delete(self.versions[name].pop().name)
            else:
                self._stop_older(name)
                self._patience.until(lambda: self._runs(name), f"The statement {name} is not RUNNING")
                self._delete_older(name)
        return self._live_name(name)

    def _runs(self, name: str) -> bool:
        there = self._flink.statement(self._live_name(name))
        return there is not None and there.phase == "RUNNING"

    def _stop_older(self, name: str) -> None:
        for one in self.versions[name][:-1]:
            self._flink.stop(one.name)

    def _delete_older(self, name: str) -> None:
        while len(found := self.versions.get(name, [])) > 1:
            self._delete(found[0].name)
            del found[0]

    def _delete_all(self, name: str) -> None:
        for one in self.versions.pop(name, []):
            self._delete(one.name)

    def _found_table(self, id_: Id, statement: Statement) -> Found | None:
        """A table that a statement made or altered, whether the service still lists that statement or not."""
        if not self._is_done(statement):
            there = self._newest(id_.name)
            if there is None or LABEL in there.labels:
                return self._found_option(id_, statement)
            # to make ours would take away theirs
            return Found(id_, False, "", _STATES.get(there.phase, "ready"), there.phase, there.detail, text=there.text)
        digest = self._noted.get(id_)
        # an alteration of a table of ours is ours; one of others' table may be theirs
        ours = digest is not None or (statement.created_table is None and self._altered(statement) not in self._given)
        return Found(id_, ours, digest, "ready", "COMPLETED")

    def _found_option(self, id_: Id, statement: Statement) -> Found | None:
        """An option of a table that is there, and is not as the statement is to set it."""
        match = _OPTION.match(statement.text)
        table = self.tables.get(match["table"]) if match else None
        if match is None or table is None:
            return None
        facts = {match["key"]: f"{table.options.get(match['key'], 'nothing')} instead of {match['value']}"}
        return Found(id_, True, "", "ready", facts=facts)

    def _is_done(self, statement: Statement) -> bool:
        if statement.created_table:
            return statement.created_table in self.tables
        if match := _WATERMARK.match(statement.text):
            table = self.tables.get(match["table"])
            same = table is not None and _plain(table.watermark or "") == _plain(match["expression"])
            return same and table is not None and table.watermark_column == match["column"]
        if match := _OPTION.match(statement.text):
            table = self.tables.get(match["table"])
            return table is not None and table.options.get(match["key"]) == match["value"]
        raise DeployError(
            f"The statement {statement.name} alters a table in a way that cannot be seen in INFORMATION_SCHEMA.",
            "Put it into the CREATE TABLE, or use MODIFY WATERMARK or SET with one option.",
        )

    def _altered(self, statement: Statement) -> str | None:
        """The table whose watermark it sets."""
        match = _WATERMARK.match(statement.text)
        return match["table"] if match else None

    def _delete(self, name: str) -> None:
        self._flink.delete(name)
        self._flink.wait_deleted(name, STATEMENT_SECONDS)

    def _undo(self, what: str, text: str) -> None:
        """Runs a statement that ends and may run twice, and takes it away; one that was left behind goes first."""
        name = f"sales-trends-{what}"[:100].rstrip("-")
        self._delete(name)
        self._flink.create(name, text, {}, {_HELPER: "true"})

        def ended() -> bool:
            statement = self._flink.statement(name)
            if statement is not None and statement.phase in cloud_statement.FAILED:
                raise DeployError(f"The statement {name} failed: {statement.detail.rstrip('.')}.")
            return statement is not None and statement.phase == "COMPLETED"

        self._patience.until(ended, f"The statement {name} has not ended")
        self._flink.delete(name)

    def _delete_subjects(self, table: str) -> None:
        for part in ("key", "value"):
            self._registry.delete(f"{table}-{part}")


def _next(over: cloud_statement.Statement) -> str:
    """What to do about a statement that does not run any more."""
    if over.phase == "STOPPED":
        return "`sales-trends resume` lets it go on."
    return f"{over.detail.rstrip('.') or 'No reason is given'}. `sales-trends plan` shows what makes it anew."


def _plain(expression: str) -> str:
    """Without what INFORMATION_SCHEMA adds to or takes from an expression's text."""
    return re.sub(r"[`\s]", "", expression).lower()
