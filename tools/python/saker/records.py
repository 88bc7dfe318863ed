"""What libsaker tells, as Python objects that stay when the call is over."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, List, Optional, Tuple

from . import _native as native
from .values import from_native


class Cell(IntEnum):
    """What a value was read from: it decides how concurrent writes merge."""

    REGISTER = 1
    LWW = 2
    COUNTER = 3
    MEMBER = 4
    EMPTY_MAP = 5


class Action(IntEnum):
    SET = 1
    SET_LWW = 2
    DELETE = 3
    SET_MAP = 4
    INCR = 5
    ADD = 6
    REMOVE = 7


class Cause(IntEnum):
    """Why a document is not at a peer, or not as it is here."""

    NO_RIGHT = 1  # it may not read the collection
    FENCED = 2  # it was fenced, and has not come back yet
    VOID = 3  # a change of `author` does not stand: it had lost the right
    DEPENDS = 4  # a change is here, and waits for another one (`other`, `seq`)
    QUEUED = 5  # it takes `changes` before it has it, and is linked to `other`
    UNCONNECTED = 6  # the same, and there is no link to `other`
    UNKNOWN = 7  # nobody who was heard of has it
    DELETED = 8  # it has the change of `author` that deleted it
    RIVAL = 9  # it is there, in `rivals` places as one of several values
    THERE = 10  # it is there as it is here
    UNSUBSCRIBED = 11  # it may read the collection and does not carry it
    NOT_CARRIED = 12  # it carries only a part of the collection, without it
    FETCHED = 13  # the same, but this peer is about to carry it: it comes from `other`


def moment(time_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(0, datetime.timezone.utc) + datetime.timedelta(milliseconds=time_ms)


@dataclass(frozen=True)
class Written:
    """Who wrote something, and when by that writer's clock."""

    author: str  # name of the device
    writer: bytes  # 16 bytes
    seq: int
    time_ms: int  # since 1970

    @property
    def time(self) -> datetime.datetime:
        return moment(self.time_ms)


@dataclass(frozen=True)
class Leaf(Written):
    document: str
    pointer: str
    cell: Cell
    value: Any  # a counter's is the sum
    rival: bool  # not the winner of its place
    shown: bool  # part of what a plain read shows


@dataclass(frozen=True)
class Base(Written):
    """A value that was written over."""

    pointer: str
    cell: Optional[Cell]  # None: its change is not kept here; author and seq are known
    value: Any


@dataclass(frozen=True)
class Operation:
    action: Action
    pointer: str
    value: Any
    bases: Tuple[Base, ...]
    bases_more: int  # beyond these


@dataclass(frozen=True)
class Change(Written):
    """One change, with what it did to the document."""

    position: int
    sealed: bool  # this device has not the key to it
    damaged: bool
    operations: Tuple[Operation, ...]


@dataclass(frozen=True)
class History:
    """The changes of a document that are kept, the newest first."""

    changes: Tuple[Change, ...]
    whole: bool  # nothing is missing
    begin_ms: int  # of the first change that is kept

    def __iter__(self) -> Any:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)


@dataclass(frozen=True)
class Rival(Written):
    cell: Cell
    value: Any
    shown: bool  # the winner
    bases: Tuple[Base, ...]


@dataclass(frozen=True)
class Conflict:
    """A place where people wrote at the same time; a write to it settles it."""

    collection: str
    document: str
    pointer: str
    rivals: Tuple[Rival, ...]  # the winner first


@dataclass(frozen=True)
class Event(Written):
    """A document that a change touched, as the local peer applied it."""

    position: int
    collection: str
    document: str


@dataclass(frozen=True)
class Cursor:
    epoch: bytes
    position: int  # everything up to and including it was seen


@dataclass(frozen=True)
class Receipt:
    writer: bytes
    seq: int  # 0: there was nothing to do
    repeated: bool  # the operation id was known: the receipt of the first time
    note: bytes


@dataclass(frozen=True)
class Peer:
    name: str
    id: str
    role: str  # relay, read, write, admin
    link: str  # self, up, slow, silent, left, fenced, revoked
    address: str
    seen_ms: Optional[int]  # since the last beat; None: never
    behind: Optional[int]  # changes that we have and it has not reported; None: unknown
    lag_ms: Optional[int]
    rtt_us: Optional[int]


@dataclass(frozen=True)
class Link:
    """What is known here of the link to a member; of this peer itself, with `state` self. What is
    counted is of this link, since the daemon started."""

    name: str
    id: str
    role: str  # none, relay, read, write, admin
    state: str  # self, up, slow, silent, left, revoked
    address: str
    calls: bool  # it does not listen: it is reached through the connection that it made
    fenced: bool
    doubled: bool  # it may write as two: it was restored or cloned
    greeted: bool  # it answers
    heard_ms: Optional[int]  # since something came from it directly; None: never
    seen_ms: Optional[int]  # since its last beat, whoever passed it on
    rtt_us: Optional[int]
    skew_ms: Optional[int]  # its clock less ours; None: unknown
    behind: Optional[int]  # changes that we have and it has not reported; None: it reported nothing
    ahead: Optional[int]  # changes that it reported and we have not
    lag_ms: Optional[int]
    requests: int
    timeouts: int
    bad_answers: int
    changes: int  # pulled from it; so are the next two
    bytes: int
    snapshots: int
    published: int  # bytes that came as it published them
    hears: Tuple[str, ...]  # ids of the members that it hears directly


@dataclass(frozen=True)
class Reason:
    cause: Cause
    peer: str  # that was asked about
    id: str
    own: bool  # it is this peer itself
    role: str  # of the peer in the collection
    link: str  # to the peer
    seen_ms: Optional[int]
    other: str  # see the causes; "": not known, or no name
    other_link: str
    other_seen_ms: Optional[int]
    seq: int
    changes: int
    estimated: bool  # there are at least so many
    rivals: int
    author: str  # of the latest change that is known here, or ""
    author_seq: int
    time_ms: int


@dataclass(frozen=True)
class Restored:
    """What was in a backup."""

    mesh: str
    device: str
    taken_ms: int  # since 1970

    @property
    def taken(self) -> datetime.datetime:
        return moment(self.taken_ms)


@dataclass(frozen=True)
class Verdict:
    collection: str
    peer: str
    reached: bool
    same_clock: bool
    same_data: bool
    fingerprint: str
    documents: int
    ahead: int
    behind: int
    carried: bool  # else it does not carry the collection, and was not asked
    part: str  # "": it carries all of it; else what it carries begins with these
    compared: bool


@dataclass(frozen=True)
class Subscription:
    collection: str
    state: str  # carried, fetching, leaving, left
    changes: int
    holder: str  # an admin's peer that has all that is here; "": none is known to
    holders: int


@dataclass(frozen=True)
class Part:
    collection: str
    prefixes: Tuple[str, ...]  # none: all of it
    state: str  # carried, fetching, removing


@dataclass(frozen=True)
class Queued:
    number: int
    collection: str
    document: str  # of the first operation
    operations: int
    size: int  # bytes in the queue
    time_ms: int
    operation: bytes
    error: int  # 0: it waits
    sentence: str


@dataclass
class Sent:
    """What one Queue.send did."""

    written: List[Tuple[Queued, Receipt]] = field(default_factory=list)
    refused: List[Queued] = field(default_factory=list)


# ---- from the structures of libsaker


def _text(data: Optional[bytes]) -> str:
    return (data or b"").decode("utf-8", "replace")


def _written(it: Any) -> Tuple[str, bytes, int, int]:
    return _text(it.author), bytes(it.writer), it.seq, it.time_ms


def _known(number: int) -> Optional[int]:
    return None if number < 0 else number


def leaf(it: Any) -> Leaf:
    return Leaf(*_written(it), _text(it.document), _text(it.pointer), Cell(it.cell), from_native(it.value),
                bool(it.rival), bool(it.shown))


def _bases(it: Any) -> Tuple[Base, ...]:
    found = []
    for i in range(it.bases_count):
        base = it.bases[i]
        known = bool(base.known)
        found.append(Base(*_written(base), _text(base.pointer), Cell(base.cell) if known else None,
                          from_native(base.value) if known else None))
    return tuple(found)


def change(it: Any) -> Change:
    operations = tuple(
        Operation(Action(one.action), _text(one.pointer), from_native(one.value), _bases(one), one.bases_more)
        for one in (it.operations[i] for i in range(it.operations_count)))
    return Change(*_written(it), it.position, bool(it.sealed), bool(it.damaged), operations)


def conflict(it: Any) -> Conflict:
    rivals = tuple(
        Rival(*_written(one), Cell(one.cell), from_native(one.value), bool(one.shown), _bases(one))
        for one in (it.rivals[i] for i in range(it.rivals_count)))
    return Conflict(_text(it.collection), _text(it.document), _text(it.pointer), rivals)


def event(it: Any) -> Event:
    return Event(*_written(it), it.position, _text(it.collection), _text(it.document))


def cursor(it: native.Cursor) -> Cursor:
    return Cursor(bytes(it.epoch), it.position)


def cursor_to_native(it: Cursor) -> native.Cursor:
    result = native.Cursor()
    result.epoch[:] = it.epoch
    result.position = it.position
    return result


def receipt(it: Any) -> Receipt:
    return Receipt(bytes(it.writer), it.seq, bool(it.repeated), bytes(it.note))


def peer(it: Any) -> Peer:
    return Peer(_text(it.name), _text(it.id), _text(it.role), _text(it.link), _text(it.address),
                _known(it.seen_ms), _known(it.behind), _known(it.lag_ms), _known(it.rtt_us))


def link(it: Any) -> Link:
    return Link(_text(it.name), _text(it.id), _text(it.role), _text(it.state), _text(it.address),
                bool(it.calls), bool(it.fenced), bool(it.doubled), bool(it.greeted), _known(it.heard_ms),
                _known(it.seen_ms), _known(it.rtt_us), it.skew_ms if it.skew_known else None,
                _known(it.behind), _known(it.ahead), _known(it.lag_ms), it.requests, it.timeouts,
                it.bad_answers, it.changes, it.bytes, it.snapshots, it.published,
                tuple(_text(it.hears[i]) for i in range(it.hears_count)))


def reason(it: Any) -> Reason:
    return Reason(Cause(it.cause), _text(it.peer), _text(it.id), bool(it.own), _text(it.role),
                  _text(it.link), _known(it.seen_ms), _text(it.other), _text(it.other_link),
                  _known(it.other_seen_ms), it.seq, it.changes, bool(it.estimated), it.rivals,
                  _text(it.author), it.author_seq, it.time_ms)


def restored(it: native.Restored) -> Restored:
    return Restored(_text(it.mesh), _text(it.device), it.taken_ms)


def verdict(it: Any) -> Verdict:
    return Verdict(_text(it.collection), _text(it.peer), bool(it.reached), bool(it.same_clock),
                   bool(it.same_data), _text(it.fingerprint), it.documents, it.ahead, it.behind,
                   bool(it.carried), _text(it.part), bool(it.compared))


def subscription(it: Any) -> Subscription:
    return Subscription(_text(it.collection), _text(it.state), it.changes, _text(it.holder), it.holders)


def part(it: Any) -> Part:
    return Part(_text(it.collection), tuple(it.prefixes[i].decode() for i in range(it.prefixes_count)),
                _text(it.state))


def queued(it: Any) -> Queued:
    return Queued(it.number, _text(it.collection), _text(it.document), it.operations, it.bytes, it.time_ms,
                  bytes(it.operation_id[: it.operation_id_size]), it.error, _text(it.sentence))
