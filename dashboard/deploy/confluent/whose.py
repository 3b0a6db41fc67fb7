"""Which statements of an environment, where names are taken for all of its clusters, are at work on this one."""

from collections.abc import Collection, Iterable, Mapping

from dashboard.deploy.confluent.versions import LABEL, NAME_LABEL
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_statement import DATABASE, Statement


def divided(
    flink: CloudFlink, live: Iterable[Statement], uids: Collection[str]
) -> tuple[list[Statement], list[Statement]]:
    """Those that work here, and those that work elsewhere, or call this cluster by a name that it had once.

    Those of `uids` were made here, so they are ours also by such a name: no other statement ever has the same.
    """
    here: list[Statement] = []
    elsewhere: list[Statement] = []
    for one in live:
        ours = flink.works_here(one) or (LABEL in one.labels and one.uid in uids)
        (here if ours else elsewhere).append(one)
    return here, elsewhere


def uids_of(versions: Mapping[str, Iterable[Statement]]) -> dict[Id, tuple[str, ...]]:
    """Of each statement of ours those of its versions."""
    ours = {
        Id("statement", name): tuple(one.uid for one in found if one.uid and LABEL in one.labels)
        for name, found in versions.items()
    }
    return {id_: found for id_, found in ours.items() if found}


def check_name_is_free(name: str, elsewhere: Mapping[str, Statement]) -> None:
    """Raises DeployError when one of them has it."""
    if other := elsewhere.get(name):
        where = other.properties[DATABASE]
        raise DeployError(
            f"The statement {name} works on another database, {where}, and its name is taken in the environment.",
            "Choose an environment without another pipeline of these names, or destroy the other one first.",
        )


def check_none_is_lost(elsewhere: Iterable[Statement], noted: Collection[Id]) -> None:
    """Raises DeployError when one of them may be ours, by a name that this cluster had once.

    Nothing tells: a ledger outlives what it notes, and another cluster's pipeline may have taken the name.
    """
    for one in elsewhere:
        name = one.labels.get(NAME_LABEL, one.name)
        if LABEL in one.labels and Id("statement", name) in noted:
            raise DeployError(
                f"The statement {one.name} works on the database {one.properties[DATABASE]}, and this cluster's ledger "
                f"notes {name}.",
                "If this cluster was called so, delete the statement on Confluent Cloud and run this again. If it is "
                "another cluster's, remove by hand what is left here.",
            )
