"""Deployments and redrives as annotations, told by the audit log and by the markers of what was sent again."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard.annotations import Annotation, Kind
from dashboard.dead_letters.markers import Marker
from dashboard.deploy.audit import Act
from dashboard.trends.totals import half_up
from dashboard.wording import amount, counted, iso

_BEGINS, _ENDED, _FAILED = " begins", " ended", " failed"
_DEPLOYING = {
    "apply": "A deployment",
    "apply contracts": "A change of contracts",
    "destroy": "The removal of the pipeline",
}
_SAID = {"stop": "was stopped", "resume": "was resumed"}
_ONE_REDRIVE = timedelta(minutes=1)
"""Letters that somebody sent again with less than this between them are one redrive."""
_TOLD = 10
"""Letters of a redrive that are named."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def deployments(acts: Sequence[Act]) -> list[Annotation]:
    """What the audit log tells of changes to the pipeline, oldest first; `acts` as the log has them.

    A deployment that changed nothing is none. One without an end, which goes on or was killed, ends with its last act.
    """
    found: list[Annotation] = []
    # by plan, act and thing: one at a time can change a target
    begun: dict[tuple[str, str, str], list[Act]] = {}
    for act in acts:
        what, ending = _parted(act.what)
        if what not in _DEPLOYING and what not in _SAID:
            for (plan, _, _), steps in begun.items():
                if plan and plan == act.plan:
                    steps.append(act)
            continue
        key = (act.plan, what, act.thing)
        if ending == _BEGINS:
            found += _deployment(what, begun.pop(key, []), None)
            begun[key] = [act]
        elif ending and key in begun:
            found += _deployment(what, begun.pop(key), act)
    for (_, what, _), steps in begun.items():
        found += _deployment(what, steps, None)
    return sorted(found, key=lambda one: one.start)


def redrives(markers: Iterable[Marker]) -> list[Annotation]:
    """Payments that were sent again, oldest first: from the first moment that one of them counts in to the last."""
    found: list[list[Marker]] = []
    for marker in sorted(markers, key=lambda one: (one.by, one.at)):
        last = found[-1][-1] if found else None
        if last is not None and last.by == marker.by and _at(marker.at) - _at(last.at) < _ONE_REDRIVE:
            found[-1].append(marker)
        else:
            found.append([marker])
    return sorted(map(_redrive, found), key=lambda one: one.start)


def _deployment(what: str, steps: Sequence[Act], end: Act | None) -> list[Annotation]:
    if not steps:
        return []
    first, last = steps[0], end or steps[-1]
    # what failed is told by how the whole ended
    changes = [one for one in steps[1:] if one.what != "ready" and one.result == "ok"]
    failed = end is not None and end.what.endswith(_FAILED)
    if what in _SAID:
        text = f"{first.thing} could not be changed" if failed else f"{first.thing} {_SAID[what]}"
    elif failed and not changes:
        text = f"{_DEPLOYING[what]} failed before a step of it was done"
    elif changes:
        ended = "failed after it changed" if failed else "changed" if end else "that has no end in the log changed"
        text = f"{_DEPLOYING[what]} {ended} {len(changes)} {'thing' if len(changes) == 1 else 'things'}"
    else:
        return []
    detail = "; ".join([*(f"{one.what} {one.thing}" for one in changes), *([last.result] if failed else [])])
    return [Annotation(Kind.DEPLOY, _at(first.at), _at(last.at), text, first.who, _at(first.at), detail)]


def _redrive(sent: Sequence[Marker]) -> Annotation:
    times = [_EPOCH + timedelta(milliseconds=one.ts) for one in sent]
    total = sum((half_up(Decimal(one.amount)) for one in sent), Decimal(0))
    text = f"{counted(len(sent), 'payment')} of {amount(total)} in all sent again"
    letters = ", ".join([*(one.letter for one in sent[:_TOLD]), *(["…"] if len(sent) > _TOLD else [])])
    detail = f"letters {letters}; sent {iso(_at(sent[0].at))}"
    return Annotation(Kind.REDRIVE, min(times), max(times), text, sent[0].by, _at(sent[0].at), detail)


def _parted(what: str) -> tuple[str, str]:
    """`apply` and ` begins`; the ending is empty for what neither begins nor ends."""
    ending = next((one for one in (_BEGINS, _ENDED, _FAILED) if what.endswith(one)), "")
    return what.removesuffix(ending), ending


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
