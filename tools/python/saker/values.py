"""Values and places: Python's on one side, libsaker's on the other.

None, bool, int, float, str and bytes are what they are. An int beyond 64 bits, NaN and infinity are
refused. A dict is a map, a set or frozenset is a set; a list is refused, lists come in a later
version. What is read comes back as the same types, a set as a saker.Set."""

from __future__ import annotations

import ctypes
import math
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from . import _native as native
from .errors import InputError

Scalar = Union[None, bool, int, float, str, bytes]
Place = Union[str, Tuple[str, ...]]

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Set(List[Scalar]):
    """The members of a set, in canonical order. It is a list, because a Python set takes 1, 1.0 and
    True for the same, and because JSON has no sets. It is equal to a set of the same members."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (set, frozenset, Set)):
            return bool(_exact(self) == _exact(other))
        return bool(super().__eq__(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def _exact(members: Iterable[Any]) -> Any:
    return {(type(member), member) for member in members}


def text(what: str, value: object) -> bytes:
    """UTF-8 for a C string."""
    if not isinstance(value, str):
        raise InputError(f"{what} is a str, not {type(value).__name__}")
    if "\0" in value:
        raise InputError(f"{what} holds a zero byte")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{what} holds half a surrogate pair, which is no text") from None


def texts(what: str, list_: Sequence[str]) -> Tuple[Any, int]:
    """An array of C strings, and how many they are."""
    if isinstance(list_, str):
        raise InputError(f"{what} stands in a list")
    return (ctypes.c_char_p * len(list_))(*[text(what, one) for one in list_]), len(list_)


def pointer(place: Place) -> bytes:
    """A JSON Pointer of a place: "" is the document, "/a/b" a pointer, "a" a key, ("a", "b") keys."""
    if isinstance(place, tuple):
        place = "".join("/" + escape(key) for key in place)
    elif isinstance(place, str) and place and not place.startswith("/"):
        place = "/" + escape(place)
    return text("a place", place)


def escape(key: object) -> str:
    if not isinstance(key, str):
        raise InputError(f"a key is a str, not {type(key).__name__}")
    return key.replace("~", "~0").replace("/", "~1")


def unescape(key: str) -> str:
    return key.replace("~1", "/").replace("~0", "~")


def is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, bytes, bytearray))


def to_native(value: object) -> native.Value:
    """Borrows from the value, which must outlive it."""
    result = native.Value()
    if value is None:
        result.type = native.NULL
    elif isinstance(value, bool):
        result.type, result.as_.boolean = native.BOOL, value
    elif isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise InputError(f"{value} does not fit in 64 bits: write it as text")
        result.type, result.as_.integer = native.INT, value
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{value} is no number that can be kept: write None or a text")
        result.type, result.as_.number = native.DOUBLE, value
    elif isinstance(value, (str, bytes, bytearray)):
        _put_string(result, value)
    else:
        raise InputError(f"a {type(value).__name__} is no single value: None, bool, int, float, str or bytes")
    return result


def _put_string(result: native.Value, value: Union[str, bytes, bytearray]) -> None:
    if isinstance(value, str):
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError("a text holds half a surrogate pair, which is no text") from None
        result.type = native.TEXT
    else:
        data = bytes(value)
        result.type = native.BYTES
    result.held = data  # as long as the structure lives
    result.as_.string.data = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
    result.as_.string.size = len(data)


def from_native(value: native.Value) -> Any:
    kind = value.type
    if kind == native.NULL:
        return None
    if kind == native.BOOL:
        return bool(value.as_.boolean)
    if kind == native.INT:
        return int(value.as_.integer)
    if kind == native.DOUBLE:
        return float(value.as_.number)
    if kind == native.MAP:
        return {}
    data = ctypes.string_at(value.as_.string.data, value.as_.string.size) if value.as_.string.size else b""
    return data.decode("utf-8") if kind == native.TEXT else data


def refuse_list(where: str) -> InputError:
    return InputError(f"a list at {where or 'the top'}: lists come in a later version; use a set, or a "
                      "map with keys that sort")


def keys_of(mapping: Mapping[Any, Any]) -> Iterable[Tuple[str, Any]]:
    for key, value in mapping.items():
        yield escape(key), value


class Tree:
    """Plain data of the leaves that a read shows, at and below a place."""

    def __init__(self, base: str) -> None:
        self.skipped = len([key for key in base.split("/")[1:]])
        self.root: Any = None
        self.there = False

    def add(self, place: str, cell: int, value: Any) -> None:
        keys = [unescape(key) for key in place.split("/")[1:]][self.skipped:]
        if not keys:
            if cell == native.MEMBER:
                self.root = self._member(self.root, value)
            elif not self.there:
                self.root = value
            self.there = True
            return
        if not isinstance(self.root, dict):
            self.root = {}
        self.there = True
        at: Dict[str, Any] = self.root
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        if cell == native.MEMBER:
            at[keys[-1]] = self._member(at.get(keys[-1]), value)
        else:
            at.setdefault(keys[-1], value)

    @staticmethod
    def _member(there: Any, value: Any) -> Set:
        """One that two people added comes twice, one after the other."""
        members = there if isinstance(there, Set) else Set()
        if not members or type(members[-1]) is not type(value) or members[-1] != value:
            members.append(value)
        return members
