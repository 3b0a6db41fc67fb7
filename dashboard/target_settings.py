"""The settings that hold on a target: its own, what the local stack was made as, and what somebody asks for."""

from datetime import timedelta

from dashboard.errors import SettingsError
from dashboard.local.home import recorded_kind
from dashboard.settings import Settings, load_settings
from dashboard.targets import LOCAL, with_target


def settings_of(target: str, window_size: timedelta | None = None, encrypt_fields: bool | None = None) -> Settings:
    """The settings that hold on a target; what is given comes before what is described for it.

    The local stack is what it was made as, unless somebody asks for something else. Raises SettingsError, StackError.
    """
    settings = with_target(load_settings(target=target))
    made = recorded_kind(settings.local.home) if target == LOCAL else None
    if made is not None:
        settings = settings.with_pipeline(window_size=made.window)
    if made is not None and made.encrypts is not None:
        settings = settings.with_pipeline(encrypt_fields=made.encrypts)
    if target != LOCAL and not (settings.pipeline.encrypt_fields and encrypt_fields is not False):
        raise SettingsError(
            f"The contracts of {target} always encrypt; SALES_PIPELINE__ENCRYPT_FIELDS=false is for the local stack.",
            "Elsewhere others write by them too, and their dead letters would hold card numbers in the clear.",
        )
    asked = {"window_size": window_size, "encrypt_fields": encrypt_fields}
    return settings.with_pipeline(**{name: value for name, value in asked.items() if value is not None})
