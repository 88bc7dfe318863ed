"""libsaker through ctypes: the structures and calls of saker.h, and nothing else.

ctypes, because it is in every Python, also in those inside of programs, where no compiler and no
package of the system can be counted on. What ctypes does not do, read the header, a test does:
tests/python/test_layout.py compares each structure and number here with the header's."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint8, c_uint64, c_void_p
from typing import Any, Callable, List, Optional

from . import _place, errors

NAME = "libsaker.so.0"
NULL, BOOL, INT, DOUBLE, TEXT, BYTES, MAP = range(7)
REGISTER, LWW, COUNTER, MEMBER, EMPTY_MAP = range(1, 6)
NOTE_BYTES = 16
STATE_BYTES = 16
TICKET_MAX = 1024


class String(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class As(ctypes.Union):
    _fields_ = [("boolean", c_bool), ("integer", c_int64), ("number", c_double), ("string", String)]


class Value(ctypes.Structure):
    _fields_ = [("type", c_int), ("as_", As)]


Writer = c_uint8 * 16


class Receipt(ctypes.Structure):
    _fields_ = [("writer", Writer), ("seq", c_uint64), ("repeated", c_bool),
                ("note", c_uint8 * NOTE_BYTES)]


class Leaf(ctypes.Structure):
    _fields_ = [("document", c_char_p), ("pointer", c_char_p), ("cell", c_int), ("value", Value),
                ("rival", c_bool), ("shown", c_bool), ("time_ms", c_uint64), ("author", c_char_p),
                ("writer", Writer), ("seq", c_uint64)]


class Base(ctypes.Structure):
    _fields_ = [("pointer", c_char_p), ("cell", c_int), ("value", Value), ("time_ms", c_uint64),
                ("author", c_char_p), ("writer", Writer), ("seq", c_uint64), ("known", c_bool)]


class Operation(ctypes.Structure):
    _fields_ = [("action", c_int), ("pointer", c_char_p), ("value", Value), ("bases", POINTER(Base)),
                ("bases_count", c_size_t), ("bases_more", c_uint64)]


class Change(ctypes.Structure):
    _fields_ = [("position", c_uint64), ("time_ms", c_uint64), ("author", c_char_p),
                ("writer", Writer), ("seq", c_uint64), ("sealed", c_bool), ("damaged", c_bool),
                ("operations", POINTER(Operation)), ("operations_count", c_size_t)]


class Begin(ctypes.Structure):
    _fields_ = [("whole", c_bool), ("time_ms", c_uint64)]


class Rival(ctypes.Structure):
    _fields_ = [("cell", c_int), ("value", Value), ("shown", c_bool), ("time_ms", c_uint64),
                ("author", c_char_p), ("writer", Writer), ("seq", c_uint64),
                ("bases", POINTER(Base)), ("bases_count", c_size_t), ("bases_more", c_uint64)]


class Conflict(ctypes.Structure):
    _fields_ = [("collection", c_char_p), ("document", c_char_p), ("pointer", c_char_p),
                ("rivals", POINTER(Rival)), ("rivals_count", c_size_t)]


class Event(ctypes.Structure):
    _fields_ = [("position", c_uint64), ("collection", c_char_p), ("document", c_char_p),
                ("author", c_char_p), ("writer", Writer), ("seq", c_uint64), ("time_ms", c_uint64)]


class Cursor(ctypes.Structure):
    _fields_ = [("epoch", c_uint8 * 16), ("position", c_uint64)]


class Peer(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("id", c_char_p), ("role", c_char_p), ("link", c_char_p),
                ("address", c_char_p), ("seen_ms", c_int64), ("behind", c_int64),
                ("lag_ms", c_int64), ("rtt_us", c_int64)]


class Verdict(ctypes.Structure):
    _fields_ = [("collection", c_char_p), ("peer", c_char_p), ("reached", c_bool),
                ("same_clock", c_bool), ("same_data", c_bool), ("fingerprint", c_char_p),
                ("documents", c_uint64), ("ahead", c_int64), ("behind", c_int64),
                ("carried", c_bool), ("part", c_char_p), ("compared", c_bool)]


class Subscription(ctypes.Structure):
    _fields_ = [("collection", c_char_p), ("state", c_char_p), ("changes", c_uint64),
                ("holder", c_char_p), ("holders", c_uint64)]


class Part(ctypes.Structure):
    _fields_ = [("collection", c_char_p), ("prefixes", POINTER(c_char_p)),
                ("prefixes_count", c_size_t), ("state", c_char_p)]


class Queued(ctypes.Structure):
    _fields_ = [("number", c_uint64), ("collection", c_char_p), ("document", c_char_p),
                ("operations", c_uint64), ("bytes", c_uint64), ("time_ms", c_uint64),
                ("operation_id", POINTER(c_uint8)), ("operation_id_size", c_size_t),
                ("error", c_int), ("sentence", c_char_p)]


class QueueCount(ctypes.Structure):
    _fields_ = [("waiting", c_uint64), ("refused", c_uint64), ("bytes", c_uint64),
                ("bytes_max", c_uint64)]


class Link(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("id", c_char_p), ("role", c_char_p), ("state", c_char_p),
                ("address", c_char_p), ("calls", c_bool), ("fenced", c_bool), ("doubled", c_bool),
                ("greeted", c_bool), ("heard_ms", c_int64), ("seen_ms", c_int64), ("rtt_us", c_int64),
                ("skew_ms", c_int64), ("skew_known", c_bool), ("behind", c_int64), ("ahead", c_int64),
                ("lag_ms", c_int64), ("requests", c_uint64), ("timeouts", c_uint64),
                ("bad_answers", c_uint64), ("changes", c_uint64), ("bytes", c_uint64),
                ("snapshots", c_uint64), ("published", c_uint64), ("hears", POINTER(c_char_p)),
                ("hears_count", c_size_t)]


class Reason(ctypes.Structure):
    _fields_ = [("cause", c_int), ("peer", c_char * 65), ("id", c_char * 17), ("own", c_bool),
                ("role", c_char * 8), ("link", c_char * 8), ("seen_ms", c_int64),
                ("other", c_char * 65), ("other_link", c_char * 8), ("other_seen_ms", c_int64),
                ("seq", c_uint64), ("changes", c_uint64), ("estimated", c_bool), ("rivals", c_uint64),
                ("author", c_char * 65), ("author_seq", c_uint64), ("time_ms", c_uint64)]


class Restored(ctypes.Structure):
    _fields_ = [("mesh", c_char * 65), ("device", c_char * 65), ("taken_ms", c_uint64)]


LeafFn = ctypes.CFUNCTYPE(c_int, POINTER(Leaf), c_void_p)
NameFn = ctypes.CFUNCTYPE(c_int, c_char_p, c_uint64, c_void_p)
ChangeFn = ctypes.CFUNCTYPE(c_int, POINTER(Change), c_void_p)
ConflictFn = ctypes.CFUNCTYPE(c_int, POINTER(Conflict), c_void_p)
EventFn = ctypes.CFUNCTYPE(c_int, POINTER(Event), c_void_p)
PeerFn = ctypes.CFUNCTYPE(c_int, POINTER(Peer), c_void_p)
VerdictFn = ctypes.CFUNCTYPE(c_int, POINTER(Verdict), c_void_p)
LinkFn = ctypes.CFUNCTYPE(c_int, POINTER(Link), c_void_p)
ProgressFn = ctypes.CFUNCTYPE(c_int, c_uint64, c_uint64, c_void_p)
SubscriptionFn = ctypes.CFUNCTYPE(c_int, POINTER(Subscription), c_void_p)
PartFn = ctypes.CFUNCTYPE(c_int, POINTER(Part), c_void_p)
LogFn = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
SentFn = ctypes.CFUNCTYPE(c_int, POINTER(Queued), POINTER(Receipt), c_void_p)
QueuedFn = ctypes.CFUNCTYPE(c_int, POINTER(Queued), c_void_p)

_place_arguments = [c_void_p, c_char_p, c_char_p]
_valued = _place_arguments + [POINTER(Value)]
_choosing = [c_void_p, POINTER(c_char_p), c_size_t]
_reading = [c_void_p, c_char_p, c_char_p, c_char_p]

# Of each call that can fail: its arguments.
CALLS = {
    "saker_open": [POINTER(c_void_p), c_char_p, c_int],
    "saker_open_embedded": [POINTER(c_void_p), c_char_p, c_void_p, LogFn, c_void_p],
    "saker_init": [c_char_p, c_char_p, c_char_p],
    "saker_join": [c_char_p, c_char_p, c_char_p, c_int],
    "saker_join_only": [c_char_p, c_char_p, c_char_p, POINTER(Part), c_size_t, c_int],
    "saker_config_set": [c_void_p, c_char_p, c_char_p],
    "saker_batch_set": _valued,
    "saker_batch_set_lww": _valued,
    "saker_batch_add": _valued,
    "saker_batch_remove": _valued,
    "saker_batch_replace": _place_arguments,
    "saker_batch_replace_end": [c_void_p],
    "saker_batch_set_map": _place_arguments,
    "saker_batch_delete": _place_arguments,
    "saker_batch_incr": _place_arguments + [c_int64],
    "saker_batch_operation": [c_void_p, c_char_p, c_size_t],
    "saker_batch_note": [c_void_p, c_char_p],
    "saker_batch_expect": _place_arguments + [c_char_p],
    "saker_write": [c_void_p, c_void_p, POINTER(Receipt)],
    "saker_read_state": _reading + [LeafFn, c_void_p, c_uint8 * STATE_BYTES],
    "saker_iterate": [c_void_p, c_char_p, LeafFn, c_void_p],
    "saker_read_then": _reading + [c_uint64, LeafFn, c_void_p],
    "saker_collections": [c_void_p, NameFn, c_void_p],
    "saker_documents_from": [c_void_p, c_char_p, c_char_p, NameFn, c_void_p],
    "saker_log": [c_void_p, c_char_p, c_char_p, ChangeFn, c_void_p, POINTER(Begin)],
    "saker_restore_document": _reading + [c_uint64, POINTER(Receipt)],
    "saker_conflicts": _reading + [ConflictFn, c_void_p],
    "saker_now": [c_void_p, POINTER(Cursor)],
    "saker_begin": [c_void_p, c_char_p, POINTER(Cursor)],
    "saker_watch": [c_void_p, c_char_p, POINTER(Cursor), c_int, EventFn, c_void_p],
    "saker_cursor_save": [c_void_p, c_char_p, POINTER(Cursor)],
    "saker_cursor_load": [c_void_p, c_char_p, POINTER(Cursor)],
    "saker_wait": [c_void_p, c_char_p, c_int],
    "saker_peers": [c_void_p, PeerFn, c_void_p],
    "saker_links": [c_void_p, LinkFn, c_void_p],
    "saker_why": [c_void_p, c_char_p, c_char_p, c_char_p, POINTER(Reason)],
    "saker_invite": [c_void_p, c_char_p, c_int64, c_char_p],
    "saker_role": [c_void_p, c_char_p, c_char_p, c_char_p],
    "saker_backup": [c_void_p, c_char_p, c_char_p, ProgressFn, c_void_p],
    "saker_restore": [c_char_p, c_char_p, c_char_p, POINTER(Restored), ProgressFn, c_void_p],
    "saker_status": [c_void_p, LeafFn, c_void_p],
    "saker_verify": [c_void_p, c_char_p, c_int, VerdictFn, c_void_p],
    "saker_subscriptions": [c_void_p, POINTER(c_bool), SubscriptionFn, c_void_p],
    "saker_subscribe": _choosing + [POINTER(c_bool)],
    "saker_unsubscribe": _choosing + [c_int, POINTER(c_bool)],
    "saker_subscribe_only": _choosing + [c_int, POINTER(c_bool)],
    "saker_carry": [c_void_p, c_char_p, POINTER(c_char_p), c_size_t],
    "saker_carried": [c_void_p, c_char_p, PartFn, c_void_p],
    "saker_seen": [c_void_p, c_char_p, POINTER(c_void_p)],
    "saker_wait_seen": [c_void_p, c_char_p, c_int],
    "saker_queue_open": [POINTER(c_void_p), c_char_p, c_char_p, c_uint64],
    "saker_queue_put": [c_void_p, c_void_p, POINTER(c_uint64)],
    "saker_queue_send": [c_void_p, c_int, SentFn, c_void_p],
    "saker_queue_list": [c_void_p, QueuedFn, c_void_p],
    "saker_queue_retry": [c_void_p, c_uint64],
    "saker_queue_drop": [c_void_p, c_uint64],
}
# Of each other call: what it returns, and its arguments.
OTHERS = {
    "saker_error_text": (c_char_p, []),
    "saker_version": (c_char_p, []),
    "saker_close": (None, [POINTER(c_void_p)]),
    "saker_config_new": (c_void_p, []),
    "saker_config_destroy": (None, [POINTER(c_void_p)]),
    "saker_batch_new": (c_void_p, [c_char_p]),
    "saker_batch_destroy": (None, [POINTER(c_void_p)]),
    "saker_batch_count": (c_size_t, [c_void_p]),
    "saker_batch_bytes": (c_size_t, [c_void_p]),
    "saker_queue_close": (None, [POINTER(c_void_p)]),
    "saker_queue_count": (None, [c_void_p, POINTER(QueueCount)]),
}


def _candidates() -> List[str]:
    """$SAKER_LIBRARY alone if it is set; else what the loader finds, then where it was built."""
    given = os.environ.get("SAKER_LIBRARY")
    if given:
        return [given]
    return [NAME] + [path for path in (_place.LIBRARY, "/usr/local/lib/" + NAME) if path]


def _load() -> ctypes.CDLL:
    problems: List[str] = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            problems.append(f"{path}: {error}")
    raise ImportError(
        "libsaker is not found: install saker, or set SAKER_LIBRARY to the file " + NAME + " ("
        + "; ".join(problems) + ")")


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, arguments in CALLS.items():
        call = getattr(library, name, None)
        if call is None:
            raise ImportError(f"this libsaker has no {name}: it is of another version than the package")
        call.restype, call.argtypes = c_int, arguments
    for name, (result, arguments) in OTHERS.items():
        call = getattr(library, name)
        call.restype, call.argtypes = result, arguments
    return library


library = _declare(_load())


def check(code: int) -> None:
    """Raises what the last call on this thread failed with."""
    if code != 0:
        raise errors.make(code, (library.saker_error_text() or b"").decode("utf-8", "replace"))


def call(name: str, *arguments: Any) -> None:
    """Calls and checks."""
    check(getattr(library, name)(*arguments))


class Callback:
    """A Python function as a callback of libsaker. What it raises ends the call, and is raised
    again after it: see `run`."""

    def __init__(self, kind: Any, function: Callable[..., Optional[bool]]) -> None:
        self.raised: Optional[BaseException] = None

        def guarded(*arguments: Any) -> int:
            try:
                return 1 if function(*arguments[:-1]) else 0
            except BaseException as error:  # also a KeyboardInterrupt: it must not get lost in C
                self.raised = error
                return 1

        self.pointer = kind(guarded)

    def run(self, name: str, *arguments: Any) -> None:
        code = getattr(library, name)(*arguments)
        if self.raised is not None:
            raise self.raised
        check(code)


def free(pointer: Any) -> None:
    """Of memory that libsaker gave away."""
    _libc.free(pointer)


_libc = ctypes.CDLL(None)
_libc.free.restype, _libc.free.argtypes = None, [c_void_p]
