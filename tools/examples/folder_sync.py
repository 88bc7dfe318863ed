#!/usr/bin/env python3
"""folder_sync.py FOLDER [--store STORE] [--collection NAME] [--interval SECONDS] [--once]

Keeps the metadata of a folder of shots, one JSON file beside each shot, the same on every machine of a
saker mesh. The file FOLDER/sq010/sh020.json is the document sq010/sh020 of the collection. What is
changed in a file is written to the mesh, field by field; what comes from others is written to the file.
So two people may edit the same file at the same time: different fields merge, and where both changed
the same field the conflict is shown, and stays until somebody changes that field again.

An array of single values is a set: its order is not kept, and members merge. Other arrays are refused.
What was synced last is kept in FOLDER/.saker-sync.json, so nothing is lost while this does not run, or
while no daemon answers."""

import argparse
import base64
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Set, Tuple

import saker

STATE = ".saker-sync.json"
SHOTS_AT_ONCE = 100
Keys = Tuple[str, ...]
MISSING = object()


# ---- JSON files on one side, documents on the other


def from_json(value: Any) -> Any:
    """What a JSON value is in a document."""
    if isinstance(value, list):
        if any(isinstance(member, (list, dict)) for member in value):
            raise saker.InputError("an array of arrays or objects cannot be kept: name its parts")
        return saker.Set(sorted(value, key=lambda member: (type(member).__name__, str(member))))
    if isinstance(value, dict):
        if list(value) == ["$bytes"]:
            return base64.b64decode(value["$bytes"])
        return {key: from_json(below) for key, below in value.items()}
    return value


def to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: to_json(below) for key, below in value.items()}
    if isinstance(value, list):
        return [to_json(member) for member in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Equal also in type: 1 is not 1.0, nor True."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def differences(old: Any, new: Any, keys: Keys = ()) -> Iterator[Tuple[Keys, Any, Any]]:
    """The places where two trees differ, as deep as possible: (place, old value, new value)."""
    if isinstance(new, dict) and new and (old is MISSING or isinstance(old, dict)):
        old = {} if old is MISSING else old
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), keys + (key,))
    elif old is not new and not same(old, new):
        yield keys, old, new


def value_at(tree: Any, keys: Keys) -> Any:
    for key in keys:
        tree = tree.get(key, MISSING) if isinstance(tree, dict) else MISSING
    return tree


def exact(members: Any) -> Dict[Tuple[str, Any], Any]:
    return {(type(member).__name__, member): member for member in members}


class FolderSync:
    def __init__(self, folder: Path, collection: str) -> None:
        self.folder, self.collection = folder, collection
        self.base: Dict[str, Any] = {}  # each document as it was synced last
        self.seen: Dict[str, Tuple[int, int]] = {}  # time and size of each file that was looked at
        self.shown: Dict[Tuple[str, str], str] = {}  # conflicts that were told
        self.failed: Set[str] = set()  # files that could not be synced as they are
        if (folder / STATE).exists():
            self.base = from_json(json.loads((folder / STATE).read_text("utf-8")))

    # ---- files

    def file_of(self, shot: str) -> Path:
        path = (self.folder / (shot + ".json")).resolve()
        if self.folder.resolve() not in path.parents or path.name.startswith("."):
            raise saker.InputError(f"{shot}: this id cannot be the name of a file here")
        return path

    def files(self) -> Dict[str, Tuple[int, int]]:
        found = {}
        for path in self.folder.rglob("*.json"):
            if not path.name.startswith(".") and path.is_file():
                status = path.stat()
                found[path.relative_to(self.folder).with_suffix("").as_posix()] = (status.st_mtime_ns, status.st_size)
        return found

    def changed_files(self) -> Set[str]:
        now = self.files()
        changed = {shot for shot in now.keys() | self.seen.keys() if now.get(shot) != self.seen.get(shot)}
        self.seen = now
        return changed

    def read_file(self, shot: str) -> Tuple[Any, Optional[bytes]]:
        """What the file holds, and its bytes."""
        try:
            data = self.file_of(shot).read_bytes()
        except FileNotFoundError:
            return MISSING, None
        tree = from_json(json.loads(data))
        if not isinstance(tree, dict):
            raise saker.InputError("a file of metadata holds one JSON object")
        return tree, data

    def write_file(self, shot: str, tree: Any, expected: Optional[bytes]) -> bool:
        """Whole or not at all, and not over what somebody saved meanwhile."""
        path = self.file_of(shot)
        if (path.read_bytes() if path.exists() else None) != expected:
            return False
        if tree is MISSING:
            path.unlink()
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", encoding="utf-8", delete=False) as draft:
            json.dump(to_json(tree), draft, indent=2, sort_keys=True, ensure_ascii=False)
            draft.write("\n")
        os.replace(draft.name, path)
        return True

    def save(self) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".", encoding="utf-8", delete=False) as draft:
            json.dump(to_json(self.base), draft, ensure_ascii=False)
        os.replace(draft.name, self.folder / STATE)

    # ---- one document

    def push(self, mesh: saker.Mesh, shot: str, tree: Any) -> None:
        """Writes what the file changed since it was synced last, and nothing else, as one change."""
        document = mesh[self.collection][shot]
        there = document.state()[0]
        there = MISSING if there is None else there
        if tree is MISSING:
            if same(there, self.base[shot]):  # else somebody changed it since: the file comes back
                document.delete()
            return
        with mesh[self.collection].batch() as batch:
            if not tree and there is MISSING:
                batch.set_map(shot)
            for keys, old, new in differences(self.base.get(shot, {}), tree):
                if same(value_at(there, keys), new):
                    continue  # it is so already: written before we were stopped, or by somebody else
                if new is MISSING:
                    batch.delete(shot, keys)
                elif isinstance(new, saker.Set) and isinstance(old, saker.Set):
                    was, is_now = exact(old), exact(new)
                    for member in is_now.keys() - was.keys():
                        batch.add(shot, keys, is_now[member])
                    for member in was.keys() - is_now.keys():
                        batch.remove(shot, keys, was[member])
                else:
                    batch.set(shot, keys, new)

    def sync(self, mesh: saker.Mesh, shot: str) -> None:
        """Both ways. Repeated when the file was saved meanwhile."""
        while True:
            tree, data = self.read_file(shot)
            if not same(tree, self.base.get(shot, MISSING)) and (tree is not MISSING or shot in self.base):
                self.push(mesh, shot, tree)
            shown = mesh[self.collection][shot].state()[0]
            shown = from_json(to_json(shown)) if isinstance(shown, dict) else MISSING
            if shown is MISSING and shot not in self.base:
                return  # never take away a file that was not synced
            if same(shown, tree) or self.write_file(shot, shown, data):
                break
        if shown is MISSING:
            self.base.pop(shot, None)
        else:
            self.base[shot] = shown

    def sync_all(self, mesh: saker.Mesh, shots: Set[str]) -> None:
        try:
            for shot in sorted(shots):
                self.sync_one(mesh, shot)
        finally:
            if shots:
                self.save()  # also before an error: a file that was taken away here was not deleted by its user
        if shots:
            self.show_conflicts(mesh)

    def sync_one(self, mesh: saker.Mesh, shot: str) -> None:
        try:
            self.sync(mesh, shot)
            self.failed.discard(shot)
        except (saker.InputError, saker.LimitError, saker.TypeClashError, ValueError, OSError) as error:
            if isinstance(error, saker.UnreachableError):
                raise
            if shot not in self.failed:
                say(f"{shot}: not synced: {error}")
            self.failed.add(shot)

    def show_conflicts(self, mesh: saker.Mesh) -> None:
        now = {}
        for conflict in mesh[self.collection].conflicts():
            values = ", ".join(f"{json.dumps(to_json(rival.value), ensure_ascii=False)} by {rival.author}"
                               for rival in conflict.rivals)
            now[conflict.document, conflict.pointer] = values
        for place, values in now.items():
            if self.shown.get(place) != values:
                say(f"conflict: {place[0]} {place[1]}: {values}; the first is shown: change the field to settle it")
        for document, pointer in self.shown.keys() - now.keys():
            say(f"settled: {document} {pointer}")
        self.shown = now

    # ---- all of it

    def everything(self, mesh: saker.Mesh) -> Set[str]:
        return set(self.base) | set(mesh[self.collection]) | set(self.files())

    def check_fetched(self, mesh: saker.Mesh) -> None:
        """What is not here yet must not be taken for deleted."""
        if any(one.collection == self.collection and one.state == "fetching" for one in mesh.subscriptions()):
            raise saker.WaitError(f"{self.collection} is not all here yet: see saker subscribe, and try again")

    def run(self, mesh: saker.Mesh, interval: float, once: bool) -> None:
        watch = mesh.watch(self.collection, timeout=interval)
        self.seen = self.files()
        self.sync_all(mesh, self.everything(mesh))
        while not once:
            shots = set()
            for event in watch:  # until nothing came for a while
                shots.add(event.document)
                if len(shots) >= SHOTS_AT_ONCE:
                    break
            self.sync_all(mesh, shots | self.changed_files())


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Keep the JSON files of a folder the same on every machine.",
                                     epilog="example: folder_sync.py /projects/dawn/shots --collection shots")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", help="default: $SAKER_STORE, else ~/.saker")
    parser.add_argument("--collection", default="shots")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between two looks at the folder")
    parser.add_argument("--once", action="store_true", help="sync once, then end")
    words = parser.parse_args()
    if not words.folder.is_dir():
        print(f"folder_sync: {words.folder} is not a folder", file=sys.stderr)
        return saker.NotFoundError.code
    folder = FolderSync(words.folder, words.collection)
    while True:
        try:
            with saker.open(words.store) as mesh:
                folder.check_fetched(mesh)
                say("ready")
                folder.run(mesh, words.interval, words.once)
                return 0
        except (saker.UnreachableError, saker.TimedOutError, saker.WaitError, saker.GapError) as error:
            if words.once:
                print(f"folder_sync: {error}", file=sys.stderr)
                return error.code
            time.sleep(words.interval)  # no daemon just now: what changes here meanwhile is not lost
        except saker.SakerError as error:
            print(f"folder_sync: {error}", file=sys.stderr)
            return error.code
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
