"""Collections and documents, as mappings."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, MutableMapping, Optional, Tuple, Union

from . import _native as native
from . import records, values
from .batch import Batch
from .errors import NotFoundError
from .values import Place, Scalar

if TYPE_CHECKING:
    from .mesh import Mesh

IDS_AT_ONCE = 500


class Document(MutableMapping[str, Any]):
    """One document. Reading gives plain data as of one moment:

        shot = mesh["shots"]["sq010"]
        shot.read()                  # {"title": "Dawn", "takes": 2}
        shot["title"]                # a key, or a JSON Pointer: shot["/camera/lens"]

    Writing a place is one change, on the disk when the call returns:

        shot["title"] = "Dusk"
        shot.incr("takes")
        shot.add("tags", "night")
        del shot["camera"]

    Several at once, all or nothing: see Batch. It is a name, not a copy: each access reads anew."""

    def __init__(self, mesh: "Mesh", collection: str, document: str) -> None:
        self._mesh, self.collection, self.id = mesh, collection, document

    def __repr__(self) -> str:
        return f"<saker.Document {self.collection}/{self.id}>"

    # ---- reading

    def read(self, place: Place = "") -> Any:
        """What the document shows at and below the place. NotFoundError when nothing is there."""
        return self._read(place)[0]

    def state(self, place: Place = "") -> Tuple[Any, bytes]:
        """The same, and the state that was read, for Batch.expect. Nothing there: None and zeros."""
        try:
            return self._read(place)
        except NotFoundError:
            return None, bytes(native.STATE_BYTES)

    def at(self, time_ms: int, place: Place = "") -> Any:
        """What the document showed at a time (milliseconds since 1970)."""
        return self._collect(place, lambda callback, names: callback.run(
            "saker_read_then", *names, time_ms, callback.pointer, None))

    def leaves(self, place: Place = "") -> List[records.Leaf]:
        """Every value with who wrote it, rivals included."""
        found: List[records.Leaf] = []
        state = (ctypes.c_uint8 * native.STATE_BYTES)()
        callback = native.Callback(native.LeafFn, lambda leaf: found.append(records.leaf(leaf.contents)))
        callback.run("saker_read_state", *self._names(place), callback.pointer, None, state)
        return found

    def history(self) -> records.History:
        """The changes of the document that are kept, the newest first."""
        found: List[records.Change] = []
        begin = native.Begin()
        callback = native.Callback(native.ChangeFn, lambda change: found.append(records.change(change.contents)))
        callback.run("saker_log", *self._names("")[:3], callback.pointer, None, ctypes.byref(begin))
        return records.History(tuple(found), bool(begin.whole), begin.time_ms)

    def conflicts(self, place: Optional[Place] = None) -> List[records.Conflict]:
        """The places where people wrote at the same time. A write to such a place settles it."""
        return self._mesh._conflicts(self.collection, self.id, place)

    # ---- writing

    def set(self, place: Place, value: object) -> records.Receipt:
        """Replaces what is at and below the place: by a single value, or by a dict or set."""
        return self._write(lambda batch: batch.set(self.id, place, value))

    def set_lww(self, place: Place, value: Scalar) -> records.Receipt:
        """The same for a single value; rivals are settled by the later time."""
        return self._write(lambda batch: batch.set_lww(self.id, place, value))

    def incr(self, place: Place, amount: int = 1) -> records.Receipt:
        """Adds to a counter; each increment counts once, whoever makes it."""
        return self._write(lambda batch: batch.incr(self.id, place, amount))

    def add(self, place: Place, member: Scalar) -> records.Receipt:
        return self._write(lambda batch: batch.add(self.id, place, member))

    def remove(self, place: Place, member: Scalar) -> records.Receipt:
        return self._write(lambda batch: batch.remove(self.id, place, member))

    def delete(self, place: Place = "") -> records.Receipt:
        """Deletes what this peer sees at and below the place; what others write at the same time stays."""
        return self._write(lambda batch: batch.delete(self.id, place))

    def replace(self, value: object, place: Place = "") -> records.Receipt:
        """Makes the document, at and below the place, this; what is equal already is left untouched."""
        return self._write(lambda batch: batch.replace(self.id, value, place))

    def restore(self, time_ms: int, place: Place = "") -> records.Receipt:
        """Makes the document show what it showed at a time, by one change."""
        receipt = native.Receipt()
        native.call("saker_restore_document", *self._names(place), time_ms, ctypes.byref(receipt))
        return records.receipt(receipt)

    # ---- as a mapping

    def __getitem__(self, place: Place) -> Any:
        return self.read(place)

    def __setitem__(self, place: Place, value: object) -> None:
        self.set(place, value)

    def __delitem__(self, place: Place) -> None:
        self.read(place)  # NotFoundError: there is nothing to delete
        self.delete(place)

    def _map(self) -> Dict[str, Any]:
        try:
            shown = self.read()
        except NotFoundError:
            return {}
        return shown if isinstance(shown, dict) else {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._map())

    def __len__(self) -> int:
        return len(self._map())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Document):
            return (self.collection, self.id, self._mesh) == (other.collection, other.id, other._mesh)
        return isinstance(other, Mapping) and self._map() == other

    __hash__ = None  # type: ignore[assignment]

    # ---- how

    def _names(self, place: Place) -> Tuple[Any, bytes, bytes, bytes]:
        return (self._mesh.handle, values.text("the name of a collection", self.collection),
                values.text("a document id", self.id), values.pointer(place))

    def _collect(self, place: Place, run: Callable[[native.Callback, Any], None]) -> Any:
        tree = values.Tree(values.pointer(place).decode())

        def take(leaf: Any) -> None:
            it = leaf.contents
            if it.shown:
                tree.add(it.pointer.decode(), it.cell, values.from_native(it.value))

        run(native.Callback(native.LeafFn, take), self._names(place))
        return tree.root

    def _read(self, place: Place) -> Tuple[Any, bytes]:
        state = (ctypes.c_uint8 * native.STATE_BYTES)()
        shown = self._collect(place, lambda callback, names: callback.run(
            "saker_read_state", *names, callback.pointer, None, state))
        return shown, bytes(state)

    def _write(self, fill: Callable[[Batch], None]) -> records.Receipt:
        batch = Batch(self.collection, self._mesh.write)
        try:
            fill(batch)
            receipt: records.Receipt = batch.write()
            return receipt
        finally:
            batch.close()


class Collection(MutableMapping[str, Document]):
    """The documents of a collection by id. A collection is there once something was written to it.

        shots = mesh["shots"]
        shots["sq010"] = {"title": "Dawn"}
        for name, shot in shots.items():
            print(name, shot.read())"""

    def __init__(self, mesh: "Mesh", name: str) -> None:
        self._mesh, self.name = mesh, name

    def __repr__(self) -> str:
        return f"<saker.Collection {self.name}>"

    def batch(self, operation: Union[None, str, bytes] = None, note: Optional[bytes] = None) -> Batch:
        return Batch(self.name, self._mesh.write, operation, note)

    def conflicts(self) -> List[records.Conflict]:
        return self._mesh._conflicts(self.name, None, None)

    def leaves(self) -> List[records.Leaf]:
        """Every value of every document, with who wrote it, rivals included; in order of ids."""
        found: List[records.Leaf] = []
        callback = native.Callback(native.LeafFn, lambda leaf: found.append(records.leaf(leaf.contents)))
        try:
            callback.run("saker_iterate", self._mesh.handle,
                         values.text("the name of a collection", self.name), callback.pointer, None)
        except NotFoundError:
            pass  # nothing was written to it yet
        return found

    def ids(self, begin: str = "") -> Iterator[str]:
        """Ids in byte order, from `begin` on. Read in pages: what is written meanwhile may be seen."""
        collection = values.text("the name of a collection", self.name)
        following: Optional[str] = begin
        while following is not None:
            page: List[str] = []

            def take(name: bytes, documents: int) -> bool:
                page.append(name.decode())
                return len(page) > IDS_AT_ONCE

            callback = native.Callback(native.NameFn, take)
            callback.run("saker_documents_from", self._mesh.handle, collection,
                         values.text("a document id", following), callback.pointer, None)
            yield from page[:IDS_AT_ONCE]
            following = page[IDS_AT_ONCE] if len(page) > IDS_AT_ONCE else None

    def __getitem__(self, document: str) -> Document:
        return Document(self._mesh, self.name, document)

    def __setitem__(self, document: str, value: Any) -> None:
        self[document].replace(value)

    def __delitem__(self, document: str) -> None:
        if document not in self:
            raise NotFoundError(f"there is no document {document} in {self.name}")
        self[document].delete()

    def __contains__(self, document: object) -> bool:
        if not isinstance(document, str):
            return False
        try:
            self[document].read()
        except NotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        try:
            yield from self.ids()
        except NotFoundError:
            return

    def __len__(self) -> int:
        return self._mesh.collections().get(self.name, 0)
