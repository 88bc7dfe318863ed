"""A queue of the application's own, for what must not be lost while no daemon runs."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any, List, Optional, Union

from . import _native as native
from . import records
from .batch import Batch
from .errors import UnreachableError
from .mesh import Owned, milliseconds, store_name

SLICE_S = 0.25  # so long Ctrl-C may take


class Queue(Owned):
    """A folder in which batches wait until the daemon has given a receipt.

        with saker.Queue("/home/anna/tracker/queue") as queue:
            with queue.batch("shots") as batch:      # on the disk when the block ends
                batch.incr("sq010", "takes")
            queue.send(timeout=10)                   # needs the daemon

    Each batch is written once, also when the application or the daemon is killed at any point. What
    the daemon refuses for good goes aside: `refused`, `retry`, `drop`. What waits here is not read
    back by a Mesh. One process at a time has a queue open."""

    _close = "saker_queue_close"

    def __init__(self, folder: Union[str, "os.PathLike[str]"],
                 store: Union[None, str, "os.PathLike[str]"] = None, limit: int = 0) -> None:
        """`limit`: bytes that it may hold; 0: 64 MiB."""
        super().__init__("queue")
        handle = ctypes.c_void_p()
        native.call("saker_queue_open", ctypes.byref(handle), os.fsencode(folder), store_name(store), limit)
        self._handle = handle

    def __enter__(self) -> "Queue":
        return self

    def batch(self, collection: str, operation: Union[None, str, bytes] = None,
              note: Optional[bytes] = None) -> Batch:
        """A batch that `write`, or the end of its block, puts here; its `result` is the number."""
        return Batch(collection, self.put, operation, note)

    def put(self, batch: Batch) -> int:
        number = ctypes.c_uint64()
        native.call("saker_queue_put", self.handle, batch.handle, ctypes.byref(number))
        return int(number.value)

    def send(self, timeout: float = 0.0) -> records.Sent:
        """Sends what waits, and tells what was written and what was refused. UnreachableError when the
        daemon did not take all of it within `timeout` seconds: its attribute `sent` has the rest."""
        sent = records.Sent()

        def take(queued: Any, receipt: Any) -> None:
            it = records.queued(queued.contents)
            if receipt:
                sent.written.append((it, records.receipt(receipt.contents)))
            else:
                sent.refused.append(it)

        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            callback = native.Callback(native.SentFn, take)
            try:
                callback.run("saker_queue_send", self.handle, milliseconds(min(left, SLICE_S)),
                             callback.pointer, None)
                return sent
            except UnreachableError as error:
                if left <= SLICE_S:
                    error.sent = sent  # type: ignore[attr-defined]
                    raise

    def list(self) -> List[records.Queued]:
        """What waits and what was refused (its error is not 0), by number."""
        found: List[records.Queued] = []
        callback = native.Callback(native.QueuedFn, lambda it: found.append(records.queued(it.contents)))
        callback.run("saker_queue_list", self.handle, callback.pointer, None)
        return found

    def refused(self) -> List[records.Queued]:
        return [queued for queued in self.list() if queued.error]

    def retry(self, number: int) -> None:
        """Puts one that was refused at the end again."""
        native.call("saker_queue_retry", self.handle, number)

    def drop(self, number: int) -> None:
        native.call("saker_queue_drop", self.handle, number)

    def __len__(self) -> int:
        """Batches that wait; what was refused does not count."""
        count = native.QueueCount()
        native.library.saker_queue_count(self.handle, ctypes.byref(count))
        return int(count.waiting)

    def __bool__(self) -> bool:
        return True
