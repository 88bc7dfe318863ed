"""A replica in this process, without a daemon; and the making of stores."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Union

from . import _native as native
from . import records, values
from .mesh import Mesh, Progress, milliseconds, progress_callback, store_name

Log = Callable[[int, str], None]
Setting = Union[str, Sequence[str]]
Only = Union[str, Iterable[str], Mapping[str, Union[None, str, Sequence[str]]]]


_logs: List[Any] = []  # a replica has the log of who opened it first, until all have closed it


def _config(settings: Mapping[str, Setting]) -> ctypes.c_void_p:
    config = ctypes.c_void_p(native.library.saker_config_new())
    try:
        for key, setting in settings.items():
            for value in [setting] if isinstance(setting, str) else setting:
                native.call("saker_config_set", config, values.text("a setting", key), values.text("a setting", value))
    except BaseException:
        native.library.saker_config_destroy(ctypes.byref(config))
        raise
    return config


def open_embedded(store: Union[None, str, "os.PathLike[str]"] = None,
                  settings: Optional[Mapping[str, Setting]] = None, log: Optional[Log] = None) -> Mesh:
    """Opens a full replica in this process, on a store that no daemon has open.

        with saker.open_embedded("notes", {"seed": ["tcp://192.168.1.20:5677"]}) as mesh: ...

    `settings` are keys of saker.conf(5). `log` gets a level (0 error, 1 warning, 2 info, 3 debug) and a
    line, in another thread; it calls nothing of saker. NotFoundError: there is no store, `init` and
    `join` make one; BusyError: another process has it."""

    def take(level: int, line: bytes, _: Any) -> None:
        if log is not None:
            log(level, line.decode("utf-8", "replace"))

    kept = native.LogFn(take) if log is not None else ctypes.cast(0, native.LogFn)
    if log is not None:
        _logs.append(kept)
    handle = ctypes.c_void_p()
    config = _config(settings or {})
    try:
        native.call("saker_open_embedded", ctypes.byref(handle), store_name(store), config, kept, None)
    finally:
        native.library.saker_config_destroy(ctypes.byref(config))
    return Mesh(handle)


def init(store: Union[str, "os.PathLike[str]"], mesh: str, device: str) -> None:
    """Founds a mesh: makes the store, with a new device as its founder."""
    native.call("saker_init", os.fsencode(store), values.text("the name of a mesh", mesh),
                values.text("the name of a device", device))


def _parts(only: Only) -> Any:
    chosen = only if isinstance(only, Mapping) else {name: None for name in ([only] if isinstance(only, str) else only)}
    parts = (native.Part * len(chosen))()
    for part, (name, prefixes) in zip(parts, chosen.items()):
        wanted = [values.text("a prefix", prefix) for prefix in ([prefixes] if isinstance(prefixes, str) else prefixes or [])]
        part.collection = values.text("the name of a collection", name)
        part.prefixes = (ctypes.c_char_p * len(wanted))(*wanted)
        part.prefixes_count = len(wanted)
    return parts


def join(store: Union[str, "os.PathLike[str]"], ticket: str, device: str, timeout: float = 30.0,
         only: Optional[Only] = None) -> None:
    """Joins with a ticket of `saker invite`: makes the store, with a new device. Nothing is left behind when
    it fails. With `only` it carries these collections alone from the first moment on: names, or a map from
    names to prefixes of documents (None: all of it), as in {"shots": ["sq010"], "notes": None}. RightError:
    the ticket makes an admin or a relay, which carries all."""
    if only is not None:
        parts = _parts(only)
        native.call("saker_join_only", os.fsencode(store), values.text("a ticket", ticket),
                    values.text("the name of a device", device), parts, len(parts), milliseconds(timeout))
        return
    native.call("saker_join", os.fsencode(store), values.text("a ticket", ticket),
                values.text("the name of a device", device), milliseconds(timeout))


def restore(store: Union[str, "os.PathLike[str]"], file: Union[str, "os.PathLike[str]"], passphrase: str,
            progress: Optional[Progress] = None) -> records.Restored:
    """Makes a store of a backup, in a folder that is missing or empty: the same device, which writes as a
    new incarnation. ForgedError: a wrong passphrase, or the file was altered. The store is there as a whole
    or not at all."""
    restored = native.Restored()
    callback = progress_callback(progress)
    callback.run("saker_restore", os.fsencode(store), os.fsencode(file), values.text("a passphrase", passphrase),
                 ctypes.byref(restored), callback.pointer, None)
    return records.restored(restored)
