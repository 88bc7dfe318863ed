"""Batches: operations on documents of one collection that are written as one change."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Mapping, Optional, Union

from . import _native as native
from . import values
from .errors import InputError, LimitError, NoMemoryError, UsageError
from .values import Place, Scalar

LEVELS_MAX = 32

# What writes a finished batch; a Mesh gives a Receipt, a Queue the number.
Writer = Callable[["Batch"], Any]


class Batch:
    """Collects operations; `write` writes them: all or nothing, here and at every other peer.

        with mesh["shots"].batch() as batch:
            batch.set("sq010", "title", "Dawn")
            batch["sq020"]["tags"] = {"night"}
        print(batch.result.seq)

    Leaving the block writes it, unless an exception leaves it. `operation` (1 to 64 bytes) makes a
    second batch with the same id change nothing: so one whose answer was lost is written again."""

    def __init__(self, collection: str, writer: Writer, operation: Union[None, str, bytes] = None,
                 note: Optional[bytes] = None) -> None:
        handle = native.library.saker_batch_new(values.text("the name of a collection", collection))
        if not handle:
            raise NoMemoryError("out of memory")
        self._handle: Optional[ctypes.c_void_p] = ctypes.c_void_p(handle)
        self._writer = writer
        self.collection = collection
        self.result: Any = None
        if operation is not None:
            data = values.text("an operation id", operation) if isinstance(operation, str) else bytes(operation)
            native.call("saker_batch_operation", self.handle, data, len(data))
        if note is not None:
            if len(note) != native.NOTE_BYTES:
                raise UsageError(f"a note has {native.NOTE_BYTES} bytes, not {len(note)}")
            native.call("saker_batch_note", self.handle, bytes(note))

    @property
    def handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise UsageError("this batch was closed")
        return self._handle

    def close(self) -> None:
        """Frees it; also done when it is no longer used."""
        if self._handle is not None:
            native.library.saker_batch_destroy(ctypes.byref(self._handle))
            self._handle = None

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and native is not None:
            self.close()

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.write()

    def write(self) -> Any:
        """Writes what was collected, and keeps what came of it in `result`. Of a Mesh: a Receipt, the
        change is on the disk. Of a Queue: its number, the batch is on the disk."""
        self.result = self._writer(self)
        return self.result

    def __len__(self) -> int:
        """Operations so far."""
        return int(native.library.saker_batch_count(self.handle))

    @property
    def size(self) -> int:
        """Encoded bytes so far; a change takes 65,536."""
        return int(native.library.saker_batch_bytes(self.handle))

    def __getitem__(self, document: str) -> "BatchDocument":
        return BatchDocument(self, document)

    # ---- operations

    def set(self, document: str, place: Place, value: object) -> None:
        """Replaces what is at and below the place: by a single value, or by a dict or set."""
        if values.is_scalar(value):
            self._valued("saker_batch_set", document, place, value)
        else:
            self.replace(document, value, place)

    def set_lww(self, document: str, place: Place, value: Scalar) -> None:
        """The same for a single value; rivals are settled by the later time."""
        self._valued("saker_batch_set_lww", document, place, value)

    def delete(self, document: str, place: Place = "") -> None:
        self._placed("saker_batch_delete", document, place)

    def incr(self, document: str, place: Place, amount: int = 1) -> None:
        value = values.to_native(amount)
        if value.type != native.INT:
            raise InputError("a counter is incremented by an int")
        self._placed("saker_batch_incr", document, place, value.as_.integer)

    def add(self, document: str, place: Place, member: Scalar) -> None:
        self._valued("saker_batch_add", document, place, member)

    def remove(self, document: str, place: Place, member: Scalar) -> None:
        self._valued("saker_batch_remove", document, place, member)

    def set_map(self, document: str, place: Place = "") -> None:
        """Makes a map without keys, or leaves the one that is there."""
        self._placed("saker_batch_set_map", document, place)

    def replace(self, document: str, value: object, place: Place = "") -> None:
        """Makes the document, at and below the place, this. What is equal already is left untouched,
        so that it does not rival what others write; what is not named is deleted."""
        base = values.pointer(place)
        self._check(value, base, base.count(b"/"))
        self._placed("saker_batch_replace", document, place)
        self._fill(document, base, value)
        native.call("saker_batch_replace_end", self.handle)
        self._fill_sets(document, base, value)

    def expect(self, document: str, place: Place, state: bytes) -> None:
        """Writes nothing, and raises ChangedError, unless the place still has this state (see
        Document.state), after what the operations before it did."""
        if len(state) != native.STATE_BYTES:
            raise UsageError(f"a state has {native.STATE_BYTES} bytes, not {len(state)}")
        self._placed("saker_batch_expect", document, place, bytes(state))

    # ---- how

    def _placed(self, name: str, document: str, place: Place, *more: Any) -> None:
        native.call(name, self.handle, values.text("a document id", document), values.pointer(place), *more)

    def _valued(self, name: str, document: str, place: Place, value: object) -> None:
        held = values.to_native(value)
        self._placed(name, document, place, ctypes.byref(held))

    def _check(self, value: object, base: bytes, levels: int) -> None:
        """Everything is looked at first: a batch is not left with half a replacement."""
        where = base.decode()
        if values.is_scalar(value):
            values.to_native(value)
        elif isinstance(value, (set, frozenset, values.Set)):
            for member in value:
                values.to_native(member)
        elif isinstance(value, Mapping):
            if levels >= LEVELS_MAX:
                raise LimitError(f"at {where}: more than {LEVELS_MAX} levels deep")
            for key, below in values.keys_of(value):
                self._check(below, base + values.pointer("/" + key), levels + 1)
        elif isinstance(value, (list, tuple)):
            raise values.refuse_list(where)
        else:
            raise InputError(f"at {where or 'the top'}: a {type(value).__name__} cannot be kept: "
                                    "None, bool, int, float, str, bytes, a dict or a set")

    def _fill(self, document: str, base: bytes, value: object) -> None:
        place = base.decode()
        if values.is_scalar(value):
            self._valued("saker_batch_set", document, place, value)
        elif isinstance(value, Mapping):
            if not value:
                self._placed("saker_batch_set_map", document, place)
            for key, below in values.keys_of(value):
                self._fill(document, base + values.pointer("/" + key), below)

    def _fill_sets(self, document: str, base: bytes, value: Any) -> None:
        """A replacement holds values and maps; the members of sets come after it."""
        if isinstance(value, (set, frozenset, values.Set)):
            for member in value:
                self.add(document, base.decode(), member)
        elif isinstance(value, Mapping):
            for key, below in values.keys_of(value):
                self._fill_sets(document, base + values.pointer("/" + key), below)


class BatchDocument:
    """A document inside a batch, to be written by key: batch["sq010"]["title"] = "Dawn"."""

    def __init__(self, batch: Batch, document: str) -> None:
        self._batch, self.id = batch, document

    def __setitem__(self, place: Place, value: object) -> None:
        self._batch.set(self.id, place, value)

    def __delitem__(self, place: Place) -> None:
        self._batch.delete(self.id, place)

    def incr(self, place: Place, amount: int = 1) -> None:
        self._batch.incr(self.id, place, amount)

    def add(self, place: Place, member: Scalar) -> None:
        self._batch.add(self.id, place, member)

    def remove(self, place: Place, member: Scalar) -> None:
        self._batch.remove(self.id, place, member)
