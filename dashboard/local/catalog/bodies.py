"""The JSON bodies of the Iceberg REST specification, as far as this catalog reads them."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as InvalidBody
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortOrder
from pyiceberg.table.update import TableRequirement, TableUpdate

from dashboard.local.catalog.names import TableName
from dashboard.local.catalog.refusals import CatalogRefusal


class Body(BaseModel):
    """Fields that are not named here are another version's, and ignored as the specification asks."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore", arbitrary_types_allowed=True)


class CreateNamespace(Body):
    namespace: tuple[str, ...]
    properties: dict[str, str] = Field(default_factory=dict)


class UpdateNamespace(Body):
    removals: list[str] = Field(default_factory=list)
    updates: dict[str, str] = Field(default_factory=dict)


class CreateTable(Body):
    name: str
    schema_: Schema = Field(alias="schema")
    location: str | None = None
    partition_spec: PartitionSpec | None = Field(None, alias="partition-spec")
    write_order: SortOrder | None = Field(None, alias="write-order")
    stage_create: bool = Field(False, alias="stage-create")
    properties: dict[str, str] = Field(default_factory=dict)


class RegisterTable(Body):
    name: str
    metadata_location: str = Field(alias="metadata-location")
    overwrite: bool = False


class TableIdentifier(Body):
    namespace: tuple[str, ...]
    name: str

    @property
    def table(self) -> TableName:
        return TableName(self.namespace, self.name)


class RenameTable(Body):
    source: TableIdentifier
    destination: TableIdentifier


class CommitTable(Body):
    identifier: TableIdentifier | None = None
    """Java leaves it out where the path names the table."""
    requirements: tuple[TableRequirement, ...] = ()
    updates: tuple[TableUpdate, ...] = ()


class CommitTransaction(Body):
    table_changes: list[CommitTable] = Field(alias="table-changes")


B = TypeVar("B", bound=Body)


def read(kind: type[B], content: bytes) -> B:
    """The body; raises CatalogRefusal naming each field that does not fit."""
    try:
        return kind.model_validate_json(content)
    except InvalidBody as exc:
        faults = exc.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:5])
        raise CatalogRefusal(f"The body is not a {kind.__name__} request: {told}.") from exc
    except (KeyError, TypeError, ValueError) as exc:
        # some of PyIceberg's validators let these through
        raise CatalogRefusal(f"The body is not a {kind.__name__} request: {exc}.") from exc
