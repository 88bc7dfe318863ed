"""The connection to the daemon of a store."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union

from . import _native as native
from . import records, values
from .batch import Batch
from .document import Collection
from .errors import DifferError, TimedOutError, UnreachableError, UsageError
from .values import Place
from .watch import Watch

Progress = Callable[[int, int], Optional[bool]]

WAIT_SLICE_S = 1.0  # so long Ctrl-C may take while others are waited for


def milliseconds(seconds: float) -> int:
    return max(0, min(int(seconds * 1000), 2**31 - 1))


def progress_callback(progress: Optional[Progress]) -> native.Callback:
    """Without one it still lets Ctrl-C through."""
    return native.Callback(native.ProgressFn, progress or (lambda done, total: None))


def store_name(store: Union[None, str, "os.PathLike[str]"]) -> Optional[bytes]:
    return None if store is None else os.fsencode(store)


class Owned:
    """What belongs to the thread that made it: another one gets a UsageError instead of a mixture."""

    _close = ""  # the call that frees it

    def __init__(self, what: str) -> None:
        self._what = what
        self._handle: Optional[ctypes.c_void_p] = None
        self._thread = threading.get_ident()

    @property
    def handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise UsageError(f"this {self._what} was closed")
        if self._thread != threading.get_ident():
            raise UsageError(f"this {self._what} belongs to another thread: open one in each")
        return self._handle

    def close(self) -> None:
        """Closes it; closing twice does nothing."""
        if self._handle is not None:
            getattr(native.library, self._close)(ctypes.byref(self._handle))
            self._handle = None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and native is not None:
            self.close()


class Mesh(Owned):
    """The replica of a store, through its daemon: `saker.open()` makes one.

    It goes on to work after a time-out, and after the daemon went away and came back."""

    _close = "saker_close"

    def __init__(self, handle: ctypes.c_void_p) -> None:
        """Takes a saker_t that this thread opened."""
        super().__init__("mesh")
        self._handle = handle

    def __enter__(self) -> "Mesh":
        return self

    # ---- data

    def __getitem__(self, collection: str) -> Collection:
        return Collection(self, collection)

    def __iter__(self) -> Iterator[str]:
        return iter(self.collections())

    def __contains__(self, collection: object) -> bool:
        return collection in self.collections()

    def collections(self) -> Dict[str, int]:
        """Names with their number of documents, in byte order."""
        found: Dict[str, int] = {}

        def take(name: bytes, documents: int) -> None:
            found[name.decode()] = documents

        callback = native.Callback(native.NameFn, take)
        callback.run("saker_collections", self.handle, callback.pointer, None)
        return found

    def write(self, batch: Batch) -> records.Receipt:
        """Writes a batch. TimedOutError and UnreachableError leave open whether it was written: with an
        operation id it can be written again."""
        receipt = native.Receipt()
        native.call("saker_write", self.handle, batch.handle, ctypes.byref(receipt))
        return records.receipt(receipt)

    def conflicts(self) -> List[records.Conflict]:
        """The places where rivals are, of all collections."""
        return self._conflicts(None, None, None)

    def _conflicts(self, collection: Optional[str], document: Optional[str],
                   place: Optional[Place]) -> List[records.Conflict]:
        found: List[records.Conflict] = []
        callback = native.Callback(native.ConflictFn, lambda it: found.append(records.conflict(it.contents)))
        callback.run(
            "saker_conflicts", self.handle,
            None if collection is None else values.text("the name of a collection", collection),
            None if document is None else values.text("a document id", document),
            None if place is None else values.pointer(place), callback.pointer, None)
        return found

    # ---- watching

    def watch(self, collection: Optional[str] = None, cursor: Union[None, str, records.Cursor] = None,
              timeout: Optional[float] = None) -> Watch:
        """Iterates over what this peer applies, its own writes included, from a cursor on (by default
        from now on). A str is the name of a cursor that is kept in the store: where it stood at the
        last `save`, or now the first time. Ends when nothing came for `timeout` seconds."""
        return Watch(self, collection, cursor, timeout)

    def now(self, collection: Optional[str] = None) -> records.Cursor:
        """The cursor of this moment, from which to watch a collection, or all. NotYetError: not all of it is
        here yet."""
        cursor = native.Cursor()
        native.call("saker_begin", self.handle, values.text("the name of a collection", collection) if collection else None,
                    ctypes.byref(cursor))
        return records.cursor(cursor)

    def save_cursor(self, name: str, cursor: records.Cursor) -> None:
        held = records.cursor_to_native(cursor)
        native.call("saker_cursor_save", self.handle, values.text("the name of a cursor", name), ctypes.byref(held))

    def load_cursor(self, name: str) -> records.Cursor:
        """NotFoundError: none was saved under this name."""
        cursor = native.Cursor()
        native.call("saker_cursor_load", self.handle, values.text("the name of a cursor", name), ctypes.byref(cursor))
        return records.cursor(cursor)

    # ---- the mesh

    def wait(self, peers: Optional[Sequence[str]] = None, timeout: float = 10.0) -> None:
        """Waits until what this peer has written is on the disk of each of these (None: all members).
        TimedOutError names those that are behind."""
        names = None if peers is None else values.text("a peer", ",".join([peers] if isinstance(peers, str) else peers))
        self._wait("saker_wait", names, timeout)

    def seen(self, collection: str) -> str:
        """A token of what was seen of a collection here, to be taken along to another peer."""
        token = ctypes.c_void_p()
        native.call("saker_seen", self.handle, values.text("the name of a collection", collection), ctypes.byref(token))
        try:
            return ctypes.string_at(token.value or 0).decode()
        finally:
            native.free(token)

    def wait_seen(self, token: str, timeout: float = 10.0) -> None:
        """Waits until this peer has all that the token of another tells of: then reads do not go
        backwards here. ForgedError: it never will."""
        self._wait("saker_wait_seen", values.text("a token", token), timeout)

    def _wait(self, name: str, what: Optional[bytes], timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return native.call(name, self.handle, what, milliseconds(min(left, WAIT_SLICE_S)))
            except TimedOutError:
                if left <= WAIT_SLICE_S:
                    raise

    # ---- what this peer carries

    def subscriptions(self) -> List[records.Subscription]:
        """The collections that are here or were chosen."""
        found: List[records.Subscription] = []
        rest = ctypes.c_bool()
        callback = native.Callback(native.SubscriptionFn, lambda it: found.append(records.subscription(it.contents)))
        callback.run("saker_subscriptions", self.handle, ctypes.byref(rest), callback.pointer, None)
        return found

    def subscribe(self, *collections: str) -> bool:
        """Carries these, too; without names all, also those made later. Was it not so before?"""
        changed = ctypes.c_bool()
        native.call("saker_subscribe", self.handle, *values.texts("the name of a collection", collections),
                    ctypes.byref(changed))
        return changed.value

    def unsubscribe(self, *collections: str, timeout: float = 30.0) -> bool:
        """Carries these no longer, once an admin's peer has all of them; else TimedOutError, and nothing is
        changed. WaitError: it was stated, and what is here goes by itself later."""
        return self._narrow("saker_unsubscribe", collections, timeout)

    def subscribe_only(self, *collections: str, timeout: float = 30.0) -> bool:
        """Carries these alone; as unsubscribe with all others."""
        return self._narrow("saker_subscribe_only", collections, timeout)

    def _narrow(self, name: str, collections: Sequence[str], timeout: float) -> bool:
        changed = ctypes.c_bool()
        native.call(name, self.handle, *values.texts("the name of a collection", collections),
                    milliseconds(timeout), ctypes.byref(changed))
        return changed.value

    def carry(self, collection: str, prefixes: Sequence[str] = ()) -> None:
        """Carries of a collection only the documents that begin with one of these; without, all."""
        native.call("saker_carry", self.handle, values.text("the name of a collection", collection),
                    *values.texts("the beginning of a document id", prefixes))

    def parts(self, collection: Optional[str] = None) -> List[records.Part]:
        """What is carried of one collection, or of all that are not carried whole."""
        found: List[records.Part] = []
        callback = native.Callback(native.PartFn, lambda it: found.append(records.part(it.contents)))
        name = None if collection is None else values.text("the name of a collection", collection)
        callback.run("saker_carried", self.handle, name, callback.pointer, None)
        return found

    # ---- the others

    def peers(self) -> List[records.Peer]:
        found: List[records.Peer] = []
        callback = native.Callback(native.PeerFn, lambda it: found.append(records.peer(it.contents)))
        callback.run("saker_peers", self.handle, callback.pointer, None)
        return found

    def links(self) -> List[records.Link]:
        """How this peer reaches the others, those that were revoked included."""
        found: List[records.Link] = []
        callback = native.Callback(native.LinkFn, lambda it: found.append(records.link(it.contents)))
        callback.run("saker_links", self.handle, callback.pointer, None)
        return found

    def why(self, collection: str, document: str, peer: Optional[str] = None) -> records.Reason:
        """Why a document, or the latest change to it, is not at a peer (a name, or the first digits of an id;
        None: this one), or that it is there. Of others it is answered from what they reported."""
        reason = native.Reason()
        native.call("saker_why", self.handle, values.text("the name of a collection", collection),
                    values.text("a document id", document), None if peer is None else values.text("a peer", peer),
                    ctypes.byref(reason))
        return records.reason(reason)

    def invite(self, role: str = "write", expires: float = 3600.0) -> str:
        """A ticket for `saker.join`, for one machine and so many seconds. It is a secret."""
        ticket = ctypes.create_string_buffer(native.TICKET_MAX)
        native.call("saker_invite", self.handle, values.text("a role", role), milliseconds(expires), ticket)
        return ticket.value.decode()

    def role(self, peer: str, role: str, collection: Optional[str] = None) -> None:
        """Gives a member another role: none (which revokes it), relay, read, write or admin; in one
        collection, or in the whole mesh. RightError: this device is no admin. What takes a right away counts
        from what this peer has of the member now; what it wrote until then stands."""
        native.call("saker_role", self.handle, values.text("a peer", peer),
                    None if collection is None else values.text("the name of a collection", collection),
                    values.text("a role", role))

    def backup(self, file: Union[str, "os.PathLike[str]"], passphrase: str,
               progress: Optional[Progress] = None) -> None:
        """Writes this device, with its key and its data as of one moment, to a new file, encrypted under the
        passphrase (8 bytes at least). `progress` gets how much is done, and of how much; True from it ends
        it, with an InputError. ExistsError: there is such a file. `saker.restore` makes a store of it."""
        callback = progress_callback(progress)
        callback.run("saker_backup", self.handle, os.fsencode(file), values.text("a passphrase", passphrase),
                     callback.pointer, None)

    def status(self) -> Dict[str, Any]:
        """Names and numbers about the local peer, as `saker status --json` has them."""
        tree = values.Tree("")

        def take(leaf: Any) -> None:
            tree.add(leaf.contents.pointer.decode(), native.REGISTER, values.from_native(leaf.contents.value))

        callback = native.Callback(native.LeafFn, take)
        callback.run("saker_status", self.handle, callback.pointer, None)
        return tree.root if isinstance(tree.root, dict) else {}

    def verify(self, collection: Optional[str] = None, timeout: float = 10.0) -> List[records.Verdict]:
        """Asks every member for clock and fingerprint. DifferError when one differs, UnreachableError when
        one did not answer: the attribute `verdicts` of either has all the same."""
        found: List[records.Verdict] = []
        callback = native.Callback(native.VerdictFn, lambda it: found.append(records.verdict(it.contents)))
        name = None if collection is None else values.text("the name of a collection", collection)
        try:
            callback.run("saker_verify", self.handle, name, milliseconds(timeout), callback.pointer, None)
        except (DifferError, UnreachableError) as error:
            error.verdicts = found  # type: ignore[union-attr]
            raise
        return found


def open(store: Union[None, str, "os.PathLike[str]"] = None, timeout: float = 5.0) -> Mesh:
    """Connects to the daemon that runs on a store (None: $SAKER_STORE, else ~/.saker)."""
    handle = ctypes.c_void_p()
    native.call("saker_open", ctypes.byref(handle), store_name(store), milliseconds(timeout))
    return Mesh(handle)
