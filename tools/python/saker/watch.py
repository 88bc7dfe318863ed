"""The feed of changes as an iterator."""

from __future__ import annotations

import ctypes
import time
from collections import deque
from typing import TYPE_CHECKING, Deque, Iterator, Optional, Union

from . import _native as native
from . import records, values
from .errors import NotFoundError, TimedOutError

if TYPE_CHECKING:
    from .mesh import Mesh

SLICE_S = 0.25  # so long Ctrl-C may take


class Watch(Iterator[records.Event]):
    """Events, one for each document that a change touched.

        for event in mesh.watch("shots", cursor="bridge"):
            print(event.author, event.document)
            watch.save()

    `cursor` is behind the last change of which all events were taken, and the loop came back for the
    next: so one whose work was broken off comes again, and none is missed. GapError: the cursor is
    older than what is kept, or of a store that was replaced; read everything, then watch from now."""

    def __init__(self, mesh: "Mesh", collection: Optional[str], cursor: Union[None, str, records.Cursor],
                 timeout: Optional[float]) -> None:
        self._mesh = mesh
        self._collection = None if collection is None else values.text("the name of a collection", collection)
        self._named = collection
        self._timeout = timeout
        self._name = cursor if isinstance(cursor, str) else None
        self._events: Deque[records.Event] = deque()
        self._taken: Optional[records.Event] = None
        self.cursor = self._begin(cursor)
        self._ahead = self.cursor  # of what was fetched

    def _begin(self, cursor: Union[None, str, records.Cursor]) -> records.Cursor:
        if isinstance(cursor, records.Cursor):
            return cursor
        if cursor is not None:
            try:
                return self._mesh.load_cursor(cursor)
            except NotFoundError:
                now = self._mesh.now(self._named)
                self._mesh.save_cursor(cursor, now)
                return now
        return self._mesh.now(self._named)

    def __iter__(self) -> "Watch":
        return self

    def __next__(self) -> records.Event:
        self._settle()
        end = None if self._timeout is None else time.monotonic() + self._timeout
        while not self._events:
            left = SLICE_S if end is None else end - time.monotonic()
            if not self._fetch(max(0.0, min(left, SLICE_S))) and end is not None and left <= SLICE_S:
                raise StopIteration
        self._taken = self._events.popleft()
        return self._taken

    def save(self, name: Optional[str] = None) -> None:
        """Keeps the cursor in the store, behind the event that was handed out last: call it when the
        work for that event is done. Of a change that touched several documents, the last one counts."""
        self._settle()
        name = name or self._name
        if not name:
            raise ValueError("this watch has no name: give one to watch() or to save()")
        self._mesh.save_cursor(name, self.cursor)

    def _settle(self) -> None:
        """What was handed out is done with."""
        if self._taken is None:
            return
        if not self._events:
            self.cursor = self._ahead
        elif self._events[0].position > self._taken.position:
            self.cursor = records.Cursor(self._ahead.epoch, self._taken.position)
        self._taken = None

    def _fetch(self, seconds: float) -> bool:
        held = records.cursor_to_native(self._ahead)
        callback = native.Callback(native.EventFn, lambda it: self._events.append(records.event(it.contents)))
        try:
            callback.run("saker_watch", self._mesh.handle, self._collection, ctypes.byref(held),
                         int(seconds * 1000), callback.pointer, None)
        except TimedOutError:
            return False
        finally:
            self._ahead = records.cursor(held)
            if not self._events and self._taken is None:
                self.cursor = self._ahead
        return bool(self._events)
