"""What the catalog refuses, in the specification's form `{"error": {"message", "type", "code"}}`.

CatalogRefusal (400 BadRequestException)
├── Unsupported (406)       NamespaceUnknown (404)    NamespaceExists (409)    NamespaceNotEmpty (409)
├── TableUnknown (404)      TableExists (409)         CommitConflict (409, the client refreshes and tries again)
└── FileUnknown (404)       Overlap (422)             TooLarge (413)
"""

from dashboard.errors import StackError


class CatalogRefusal(StackError):
    """A request that the catalog answers with an error; the type is the name of the Java client's exception."""

    status = 400
    kind = "BadRequestException"


class Unsupported(CatalogRefusal):
    status = 406
    kind = "UnsupportedOperationException"


class NamespaceUnknown(CatalogRefusal):
    status = 404
    kind = "NoSuchNamespaceException"

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace does not exist: {namespace}")
        self.namespace = namespace


class NamespaceExists(CatalogRefusal):
    status = 409
    kind = "AlreadyExistsException"

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace already exists: {namespace}")
        self.namespace = namespace


class NamespaceNotEmpty(CatalogRefusal):
    status = 409
    kind = "NamespaceNotEmptyException"

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace is not empty: {namespace}")
        self.namespace = namespace


class TableUnknown(CatalogRefusal):
    status = 404
    kind = "NoSuchTableException"

    def __init__(self, table: str) -> None:
        super().__init__(f"Table does not exist: {table}")
        self.table = table


class TableExists(CatalogRefusal):
    status = 409
    kind = "AlreadyExistsException"

    def __init__(self, table: str) -> None:
        super().__init__(f"Table already exists: {table}")
        self.table = table


class CommitConflict(CatalogRefusal):
    status = 409
    kind = "CommitFailedException"


class FileUnknown(CatalogRefusal):
    status = 404
    kind = "NotFoundException"

    def __init__(self, location: str) -> None:
        super().__init__(f"File does not exist: {location}")
        self.location = location


class Overlap(CatalogRefusal):
    status = 422
    kind = "UnprocessableEntityException"


class TooLarge(CatalogRefusal):
    status = 413
    kind = "BadRequestException"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request is larger than {limit_bytes} bytes.")
        self.limit_bytes = limit_bytes
