"""Files of the warehouse for PyIceberg: plain local files, and none outside the warehouse.

PyIceberg's own file layers load pyarrow or fsspec, which this process has no other use for (40 MB and 0.3 s), and would
follow a table's location anywhere.
"""

import os
from pathlib import Path
from typing import cast

from pyiceberg.io import WAREHOUSE, FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from dashboard.local.catalog.refusals import CatalogRefusal, FileUnknown


def path_of(location: str, warehouse: str) -> Path:
    """The file at `location`; raises CatalogRefusal unless it lies inside the warehouse, whatever it links to.

    Locations are taken literally, as PyIceberg and Hadoop take them: a percent sign is a percent sign.
    """
    name = location.removeprefix("file://") if location.startswith("file://") else location.removeprefix("file:")
    if not name.startswith("/") or "\0" in name:
        raise CatalogRefusal(f"{location!r} is not a local file.")
    path, root = Path(os.path.realpath(name)), Path(os.path.realpath(warehouse.removeprefix("file://")))
    if path == root or not path.is_relative_to(root):
        raise CatalogRefusal(f"{location!r} is outside the warehouse {warehouse}.")
    return path


class _Input(InputFile):
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.is_file()

    def open(self, seekable: bool = True) -> InputStream:
        try:
            return cast(InputStream, self._path.open("rb"))
        except FileNotFoundError as exc:
            raise FileUnknown(self.location) from exc


class _Output(OutputFile):
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def to_input_file(self) -> InputFile:
        return _Input(self.location, self._path)

    def create(self, overwrite: bool = False) -> OutputStream:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return cast(OutputStream, self._path.open("wb" if overwrite else "xb"))


class WarehouseIO(FileIO):
    """The file layer; PyIceberg builds one where it needs it, from the catalog's properties."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties=properties)
        self._warehouse = str(properties[WAREHOUSE])

    def new_input(self, location: str) -> InputFile:
        return _Input(location, path_of(location, self._warehouse))

    def new_output(self, location: str) -> OutputFile:
        return _Output(location, path_of(location, self._warehouse))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        place = location if isinstance(location, str) else location.location
        path_of(place, self._warehouse).unlink(missing_ok=True)
