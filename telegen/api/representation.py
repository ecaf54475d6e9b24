"""How much of an object is asked for, and how it comes (D7): no more than is shown ever reaches the agent."""

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
    """One way to ask.

    Attributes:
        list_accept, watch_accept: the Accept headers. There is no second choice in them: a server that cannot do it
        must say so (406),
            rather than send what was not asked for.
        params: query parameters that belong to it.
        table: objects come as rows of a Table.
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
    """Objects of Tables: each row's metadata, and its Type column as `type`.

    The columns are named once per connection, in the first Table.
    """

    def __init__(self) -> None:
        self._type: int | None = None

    def objects(self, table: Object) -> Iterator[Object]:
        """The objects of one Table.

        Raises:
            ProtocolError: rows do not match their columns, or no columns were ever named.
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
