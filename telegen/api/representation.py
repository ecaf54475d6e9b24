"""Representations of objects in requests: the agent receives no more of an object than it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from telegen.api.errors import ProtocolError

Object = dict[str, Any]
Name = Literal["object", "metadata", "table"]

_META = "application/json;as={};v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Representation:
    """One form in which objects are requested.

    Attributes:
        list_accept, watch_accept: Accept headers, with no second choice: a server that does not support the form
            answers 406 instead of sending more than was requested.
        params: query parameters of the form.
        table: whether objects arrive as rows of a Table.
    """

    list_accept: str
    watch_accept: str
    params: tuple[tuple[str, str], ...] = ()
    table: bool = False


REPRESENTATIONS: dict[Name, Representation] = {
    "object": Representation("application/json", "application/json"),
    "metadata": Representation(_META.format("PartialObjectMetadataList"), _META.format("PartialObjectMetadata")),
    "table": Representation(_META.format("Table"), _META.format("Table"), (("includeObject", "Metadata"),), True),
}


class Rows:
    """Converter of Tables to objects: the metadata of each row, and its Type column as `type`.

    Only the first Table on a connection names the columns.
    """

    def __init__(self) -> None:
        self._type: int | None = None

    def objects(self, table: Object) -> Iterator[Object]:
        """Yield the objects of one Table.

        Raises:
            ProtocolError: a row has no object, or does not match the columns.
        """
        names = [column.get("name") for column in table.get("columnDefinitions") or ()]
        if names:
            self._type = names.index("Type") if "Type" in names else None
        for row in table.get("rows") or ():
            obj = row.get("object")
            if not isinstance(obj, dict):
                raise ProtocolError("a row of a table has no object")
            if self._type is not None:
                cells = row.get("cells") or ()
                if len(cells) <= self._type:
                    raise ProtocolError("a row of a table is too short")
                obj["type"] = cells[self._type]
            yield obj
