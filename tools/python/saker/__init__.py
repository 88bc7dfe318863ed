"""saker: read and write the data of a saker mesh, through the daemon on this machine.

    import saker

    with saker.open() as mesh:                     # $SAKER_STORE, else ~/.saker
        shots = mesh["shots"]
        shots["sq010"] = {"title": "Dawn", "frames": 120}
        shots["sq010"].incr("takes")
        print(shots["sq010"].read())
        mesh.wait()                                # until every member has stored it

Without a daemon: saker.open_embedded() runs a replica in this process.

A Mesh belongs to the thread that opened it; so does a Queue. Every error of libsaker is an exception
of its own, a SakerError with `code` and one sentence."""

from . import _native
from .batch import Batch, BatchDocument
from .document import Collection, Document
from .embedded import init, join, open_embedded, restore
from .errors import (BusyError, ChangedError, DamagedError, DifferError, ExistsError, ForgedError,
                     FullError, GapError, InputError, IoError, LimitError, NoMemoryError,
                     NotCarriedError, NotFoundError, NotYetError, RightError, SakerError, TimedOutError, TypeClashError,
                     UnreachableError, UsageError, VersionError, WaitError)
from .mesh import Mesh, open
from .queue import Queue
from .records import (Action, Base, Cause, Cell, Change, Conflict, Cursor, Event, History, Leaf, Link,
                      Operation, Part, Peer, Queued, Reason, Receipt, Restored, Rival, Sent, Subscription,
                      Verdict)
from .values import Place, Scalar, Set
from .watch import Watch

__version__: str = _native.library.saker_version().decode()

__all__ = [
    "Action", "Base", "Batch", "BatchDocument", "BusyError", "Cause", "Cell", "Change", "ChangedError",
    "Collection", "Conflict", "Cursor", "DamagedError", "DifferError", "Document", "Event",
    "ExistsError", "ForgedError", "FullError", "GapError", "History", "InputError", "IoError", "Leaf",
    "LimitError", "Link", "Mesh", "NoMemoryError", "NotCarriedError", "NotFoundError", "NotYetError", "Operation", "Part",
    "Peer", "Place", "Queue",
    "Queued", "Reason", "Receipt", "Restored", "RightError", "Rival", "SakerError", "Scalar", "Sent", "Set", "Subscription", "TimedOutError",
    "TypeClashError", "UnreachableError", "UsageError", "Verdict", "VersionError", "WaitError", "Watch",
    "init", "join", "open", "open_embedded", "restore",
]
