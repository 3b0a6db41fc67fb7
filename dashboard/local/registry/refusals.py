"""What the registry refuses, in the registry's own error form `{"error_code", "message"}`.

RegistryRefusal
├── BadRequest (400)             SubjectUnknown (40401)        VersionUnknown (40402)
├── SchemaUnknown (40403)        SubjectSoftDeleted (40404)    SubjectNotSoftDeleted (40405)
├── VersionSoftDeleted (40406)   VersionNotSoftDeleted (40407) CompatibilityNotSet (40408)
├── ModeNotSet (40409)           Incompatible (40901)          SchemaInvalid (42201)
├── VersionInvalid (42202)       CompatibilityInvalid (42203)  ModeInvalid (42204)
├── NotPermitted (42205)         StillReferenced (42206)       SubjectInvalid (42208)
├── TooLarge (42209)             RuleSetInvalid (42210)
└── of keys: KeyUnknown (40470)  KeyNotSoftDeleted (40471)     KeySoftDeleted (40472)
             KeyExists (40971)   TooManyKeys (40972)           KeyInvalid (42271)
             KeyReferenced (42272)

Source: Errors.java and DekRegistryErrors.java of Confluent Schema Registry @794611bd.
"""

from collections.abc import Sequence

from dashboard.errors import StackError


class RegistryRefusal(StackError):
    """A request that the registry answers with an error."""

    error_code = 500

    @property
    def status(self) -> int:
        """The HTTP status: an error code such as 40401 belongs to 404."""
        return self.error_code // 100 if self.error_code > 999 else self.error_code


class BadRequest(RegistryRefusal):
    error_code = 400


class SubjectUnknown(RegistryRefusal):
    error_code = 40401

    def __init__(self, subject: str) -> None:
        super().__init__(f"Subject '{subject}' not found.")
        self.subject = subject


class VersionUnknown(RegistryRefusal):
    error_code = 40402

    def __init__(self, version: str) -> None:
        super().__init__(f"Version {version} not found.")
        self.version = version


class SchemaUnknown(RegistryRefusal):
    error_code = 40403

    def __init__(self, key: str = "") -> None:
        super().__init__(f"Schema {key} not found" if key else "Schema not found")
        self.key = key


class SubjectSoftDeleted(RegistryRefusal):
    error_code = 40404

    def __init__(self, subject: str) -> None:
        super().__init__(f"Subject '{subject}' was soft deleted.", "Set permanent=true to delete permanently")
        self.subject = subject


class SubjectNotSoftDeleted(RegistryRefusal):
    error_code = 40405

    def __init__(self, subject: str) -> None:
        super().__init__(f"Subject '{subject}' was not deleted first before being permanently deleted")
        self.subject = subject


class VersionSoftDeleted(RegistryRefusal):
    error_code = 40406

    def __init__(self, subject: str, version: int) -> None:
        message = f"Subject '{subject}' Version {version} was soft deleted."
        super().__init__(message, "Set permanent=true to delete permanently")
        self.subject, self.version = subject, version


class VersionNotSoftDeleted(RegistryRefusal):
    error_code = 40407

    def __init__(self, subject: str, version: int) -> None:
        super().__init__(
            f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
        )
        self.subject, self.version = subject, version


class CompatibilityNotSet(RegistryRefusal):
    error_code = 40408

    def __init__(self, subject: str) -> None:
        super().__init__(f"Subject '{subject}' does not have subject-level compatibility configured")
        self.subject = subject


class ModeNotSet(RegistryRefusal):
    error_code = 40409

    def __init__(self, subject: str) -> None:
        super().__init__(f"Subject '{subject}' does not have subject-level mode configured")
        self.subject = subject


class Incompatible(RegistryRefusal):
    error_code = 40901

    def __init__(self, subject: str, reasons: Sequence[str]) -> None:
        details = "; ".join(reasons)
        message = f'Schema being registered is incompatible with an earlier schema for subject "{subject}"'
        super().__init__(f"{message}, details: [{details}]")
        self.subject, self.reasons = subject, tuple(reasons)


class SchemaInvalid(RegistryRefusal):
    error_code = 42201


class VersionInvalid(RegistryRefusal):
    error_code = 42202

    def __init__(self, version: str) -> None:
        message = f"The specified version '{version}' is not a valid version id."
        super().__init__(message, 'Allowed values are between [1, 2^31-1] and the string "latest"')
        self.version = version


class CompatibilityInvalid(RegistryRefusal):
    error_code = 42203

    def __init__(self, level: str, allowed: Sequence[str]) -> None:
        super().__init__(f"Invalid compatibility level '{level}'.", f"Valid values are {', '.join(allowed)}")
        self.level = level


class ModeInvalid(RegistryRefusal):
    error_code = 42204

    def __init__(self, mode: str, allowed: Sequence[str]) -> None:
        super().__init__(f"Invalid mode '{mode}'.", f"This registry knows {', '.join(allowed)}")
        self.mode = mode


class NotPermitted(RegistryRefusal):
    error_code = 42205


class StillReferenced(RegistryRefusal):
    error_code = 42206

    def __init__(self, subject: str, version: int) -> None:
        super().__init__(f"One or more references exist to the schema {{subject={subject},version={version}}}.")
        self.subject, self.version = subject, version


class SubjectInvalid(RegistryRefusal):
    error_code = 42208

    def __init__(self, subject: str) -> None:
        super().__init__(f"The specified subject {subject!r} is not a valid subject.")
        self.subject = subject


class TooLarge(RegistryRefusal):
    error_code = 42209

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request is larger than {limit_bytes} bytes.")
        self.limit_bytes = limit_bytes


class RuleSetInvalid(RegistryRefusal):
    error_code = 42210


class KeyUnknown(RegistryRefusal):
    """`name` is a kek's, or the subject of a dek."""

    error_code = 40470

    def __init__(self, name: str) -> None:
        super().__init__(f"Key '{name}' not found")
        self.name = name


class KeyNotSoftDeleted(RegistryRefusal):
    error_code = 40471

    def __init__(self, name: str) -> None:
        super().__init__(f"Key '{name}' was not deleted first before being permanently deleted")
        self.name = name


class KeySoftDeleted(RegistryRefusal):
    error_code = 40472

    def __init__(self, name: str) -> None:
        super().__init__(f"Key '{name}' must be undeleted first")
        self.name = name


class KeyExists(RegistryRefusal):
    error_code = 40971

    def __init__(self, name: str) -> None:
        super().__init__(f"Key '{name}' already exists; use a different value")
        self.name = name


class TooManyKeys(RegistryRefusal):
    error_code = 40972

    def __init__(self, most: int) -> None:
        super().__init__(f"A maximum of {most} keys already exist")
        self.most = most


class KeyInvalid(RegistryRefusal):
    error_code = 42271

    def __init__(self, field: str, hint: str = "") -> None:
        super().__init__(f"Invalid or missing value for field '{field}' of key.", hint)
        self.field = field


class KeyReferenced(RegistryRefusal):
    error_code = 42272

    def __init__(self, name: str) -> None:
        super().__init__(f"One or more references exist to the key '{name}'")
        self.name = name
