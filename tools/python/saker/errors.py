"""One exception for each error of libsaker, with its number and its sentence."""

from __future__ import annotations

from typing import Dict, Type


class SakerError(Exception):
    """What libsaker refused or could not do. `code` is the stable number (saker_err_t, and the exit
    status of the tool), `name` its short name; str() is one sentence: what was wrong, and the next
    step."""

    code: int = -1
    name: str = "error"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class InputError(SakerError, ValueError):
    code, name = 1, "bad input"


class UsageError(SakerError):
    code, name = 2, "wrong usage"


class NotFoundError(SakerError, KeyError):
    code, name = 3, "not found"


class ExistsError(SakerError):
    code, name = 4, "exists already"


class RightError(SakerError):
    code, name = 5, "no right"


class LimitError(SakerError):
    code, name = 6, "over a limit"


class TypeClashError(SakerError):
    code, name = 7, "another type is there"


class FullError(SakerError):
    code, name = 8, "disk full"


class BusyError(SakerError):
    code, name = 9, "in use"


class DamagedError(SakerError):
    code, name = 10, "damaged"


class VersionError(SakerError):
    code, name = 11, "unknown version"


class TimedOutError(SakerError, TimeoutError):
    code, name = 12, "timed out"


class UnreachableError(SakerError, ConnectionError):
    code, name = 13, "not reachable"


class ForgedError(SakerError):
    code, name = 14, "signature or seal does not hold"


class WaitError(SakerError):
    code, name = 15, "waits for something else"


class IoError(SakerError):
    code, name = 16, "input or output failed"


class NoMemoryError(SakerError):
    code, name = 17, "out of memory"


class DifferError(SakerError):
    code, name = 18, "peers differ"


class GapError(SakerError):
    code, name = 19, "history before this point is gone"


class ChangedError(SakerError):
    code, name = 20, "changed meanwhile"


class NotCarriedError(SakerError):
    code, name = 21, "not carried here"


class NotYetError(SakerError):
    """Nothing was found, in a collection of which not all is here yet: ask again later."""

    code, name = 22, "not here yet"


BY_CODE: Dict[int, Type[SakerError]] = {
    kind.code: kind
    for kind in (
        InputError, UsageError, NotFoundError, ExistsError, RightError, LimitError, TypeClashError,
        FullError, BusyError, DamagedError, VersionError, TimedOutError, UnreachableError,
        ForgedError, WaitError, IoError, NoMemoryError, DifferError, GapError, ChangedError,
        NotCarriedError, NotYetError,
    )
}


def make(code: int, sentence: str) -> SakerError:
    """The exception for an error number. A number that a later libsaker made is a plain SakerError."""
    error = BY_CODE.get(code, SakerError)(sentence)
    error.code = code
    return error
