#!/usr/bin/env python3
"""tracker.py: assets, shots, versions, notes and approvals of a show, on saker. Its data, and what
happens when two people write at the same time, is in docs/tracker.md; tracker.c is the same program
in C."""

import datetime
import re
import secrets
import sys
import time
from typing import Callable, Dict, List, Optional, Tuple

import saker

NUMBER_MAX = 9999
APPROVALS = ("approved", "changes", "rejected")
OPEN_S = 5.0


class Show:
    """The whole collection, as it is now."""

    def __init__(self, collection: saker.Collection) -> None:
        self.documents: Dict[str, Dict[str, str]] = {}  # document -> pointer -> what it shows
        self.sets: Dict[Tuple[str, str], List[str]] = {}
        self.rivals = set()
        for leaf in collection.leaves():
            document = self.documents.setdefault(leaf.document, {})
            if leaf.rival and leaf.cell != saker.Cell.LWW:
                self.rivals.add((leaf.document, leaf.pointer))
            if leaf.cell == saker.Cell.MEMBER:
                members = self.sets.setdefault((leaf.document, leaf.pointer), [])
                if value_text(leaf.value) not in members[-1:]:
                    members.append(value_text(leaf.value))
            elif leaf.shown:
                document.setdefault(leaf.pointer, value_text(leaf.value))

    def get(self, document: str, pointer: str) -> str:
        return self.documents.get(document, {}).get(pointer, "")

    def marked(self, document: str, pointer: str) -> str:
        """With a star when somebody else wrote another value at the same time."""
        return self.get(document, pointer) + ("*" if (document, pointer) in self.rivals else "")

    def below(self, prefix: str) -> List[str]:
        return [document for document in self.documents if document.startswith(prefix)]

    def number(self, version: str) -> int:
        text = self.get(version, "/number")
        return int(text) if text.isdigit() else 0

    def highest(self, shot: str) -> int:
        return max((self.number(version) for version in self.below(f"version/{shot}/")), default=0)

    def label(self, version: str) -> str:
        """v003, or v003 (bob) where another version of the shot has the same number."""
        prefix, digits = version.rsplit("/", 1)
        number, by = self.number(version), self.get(version, "/by")
        same = [other for other in self.below(prefix + "/") if self.number(other) == number]
        if len(same) < 2:
            return f"v{number:03}"
        if [self.get(other, "/by") for other in same].count(by) < 2:
            return f"v{number:03} ({by})"
        return f"v{number:03} ({by} {digits})"

    def approval(self, version: str) -> str:
        approval = self.marked(version, "/approval")
        return approval if approval.strip("*") else "-" + approval


def value_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else "?"


def print_aligned(lines: List[List[str]]) -> None:
    """Lines in a row that have as many cells are one table."""
    at = 0
    while at < len(lines):
        table = [lines[at]]
        while at + len(table) < len(lines) and len(lines[at + len(table)]) == len(table[0]):
            table.append(lines[at + len(table)])
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        for line in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        at += len(table)


class Tracker:
    def __init__(self, mesh: saker.Mesh, collection: str) -> None:
        self.mesh, self.collection = mesh, mesh[collection]

    # ---- what is meant

    def check_name(self, name: str) -> None:
        if not re.fullmatch("[A-Za-z0-9._-]{1,64}", name):
            raise saker.InputError(f"{name} is no name: 1 to 64 letters, digits, dots, dashes and underscores")

    def find_named(self, show: Show, kind: str, name: str) -> str:
        self.check_name(name)
        if f"{kind}/{name}" not in show.documents:
            raise saker.NotFoundError(f"there is no {kind} {name}: see tracker list")
        return f"{kind}/{name}"

    def parse_number(self, text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= NUMBER_MAX:
            raise saker.InputError(f"{text} is no number from 1 to {NUMBER_MAX}")
        return int(text)

    def find_version(self, show: Show, shot: str, word: str) -> str:
        """v003, 3, v003@bob, 3@9f2c."""
        text, _, whose = word.partition("@")
        number = self.parse_number(text[1:] if text.startswith("v") else text)
        found = [version for version in show.below(f"version/{shot}/")
                 if show.number(version) == number and (
                     "@" not in word or show.get(version, "/by") == whose
                     or (len(whose) >= 4 and version.rsplit("/", 1)[1].startswith(whose)))]
        if len(found) > 1:
            raise saker.InputError(f"{len(found)} versions of {shot} are called v{number:03}: say whose, "
                                   f"v{number:03}@NAME, or see tracker conflicts")
        if not found:
            raise saker.NotFoundError(f"there is no version {word} of {shot}")
        return found[0]

    def by(self) -> str:
        return str(self.mesh.status()["device"]["name"])

    # ---- commands

    def shot(self, name: str, title: str, frames: Optional[str] = None) -> None:
        self.check_name(name)
        number = None if frames is None else self.parse_number(frames)
        with self.collection.batch() as batch:
            batch.set("shot/" + name, "title", title)
            if number is not None:
                batch.set("shot/" + name, "frames", number)

    def asset(self, name: str, kind: str, about: Optional[str] = None) -> None:
        self.check_name(name)
        with self.collection.batch() as batch:
            batch.set("asset/" + name, "kind", kind)
            if about is not None:
                batch.set("asset/" + name, "about", about)

    def use(self, shot: str, asset: str) -> None:
        show = Show(self.collection)
        document = self.find_named(show, "shot", shot)
        self.find_named(show, "asset", asset)
        self.collection[document].add("assets", asset)

    def status(self, name: str, status: str) -> None:
        kind, name = ("asset", name[len("asset/"):]) if name.startswith("asset/") else ("shot", name)
        self.collection[self.find_named(Show(self.collection), kind, name)]["status"] = status

    def version(self, shot: str, path: str, comment: Optional[str] = None) -> None:
        show = Show(self.collection)
        self.find_named(show, "shot", shot)
        number = show.highest(shot) + 1
        fields = {"number": number, "by": self.by(), "path": path}
        with self.collection.batch() as batch:
            version = f"version/{shot}/{secrets.token_hex(4)}"
            for key, value in {**fields, **({} if comment is None else {"comment": comment})}.items():
                batch.set(version, key, value)
        print(f"v{number:03}")

    def note(self, shot: str, text: str, version: Optional[str] = None) -> None:
        show = Show(self.collection)
        self.find_named(show, "shot", shot)
        fields = {"by": self.by(), "text": text}
        if version is not None:
            fields["version"] = self.find_version(show, shot, version)
        with self.collection.batch() as batch:
            note = f"note/{shot}/{int(time.time() * 1000):013}-{secrets.token_hex(4)}"
            for key, value in fields.items():
                batch.set(note, key, value)

    def approve(self, shot: str, version: str, approval: str) -> None:
        if approval not in APPROVALS:
            raise saker.InputError(f"a version is approved, changes or rejected, not {approval}")
        show = Show(self.collection)
        self.find_named(show, "shot", shot)
        self.collection[self.find_version(show, shot, version)]["approval"] = approval

    def renumber(self, shot: str, version: str, number: str) -> None:
        wanted = self.parse_number(number)
        show = Show(self.collection)
        self.find_named(show, "shot", shot)
        found = self.find_version(show, shot, version)
        if any(show.number(other) == wanted for other in show.below(f"version/{shot}/")):
            raise saker.ExistsError(f"{shot} has a v{wanted:03} already: the next free one is {show.highest(shot) + 1}")
        self.collection[found]["number"] = wanted

    def settle(self, document: str, pointer: str, letter: str) -> None:
        if pointer and not pointer.startswith("/"):
            raise saker.InputError(f"{pointer} is no pointer: see tracker conflicts")
        for conflict in self.collection[document].conflicts(pointer):
            rival = ord(letter) - ord("a") if len(letter) == 1 else -1
            if not 0 <= rival < len(conflict.rivals):
                raise saker.InputError(f"there are {len(conflict.rivals)} rivals: see tracker conflicts")
            if conflict.rivals[rival].cell != saker.Cell.REGISTER:
                raise saker.TypeClashError("that is no single value: use saker conflicts")
            self.collection[document][conflict.pointer] = conflict.rivals[rival].value
            return
        raise saker.NotFoundError(f"there is no conflict at {document} {pointer}: see tracker conflicts")

    def list(self) -> None:
        show = Show(self.collection)
        lines = [["SHOT", "TITLE", "FRAMES", "STATUS", "LATEST", "NOTES"]]
        for document in show.below("shot/"):
            shot = document[len("shot/"):]
            latest = [f"{show.label(version)} {show.approval(version)}" for version in show.below(f"version/{shot}/")
                      if show.number(version) == show.highest(shot)]
            lines.append([shot, show.marked(document, "/title"), show.get(document, "/frames"),
                          show.marked(document, "/status"), ", ".join(latest), str(len(show.below(f"note/{shot}/")))])
        lines.append(["ASSET", "KIND", "ABOUT", "STATUS"])
        lines += [[document[len("asset/"):], show.get(document, "/kind"), show.get(document, "/about"),
                   show.marked(document, "/status")] for document in show.below("asset/")]
        print_aligned(lines)

    def show(self, shot: str) -> None:
        show = Show(self.collection)
        document = self.find_named(show, "shot", shot)
        lines = [["shot", shot]]
        lines += [[field, show.marked(document, "/" + field)] for field in ("title", "frames", "status")]
        lines.append(["assets", ", ".join(show.sets.get((document, "/assets"), []))])
        lines.append(["versions"])
        for version in sorted(show.below(f"version/{shot}/"), key=show.number):
            lines.append(["  " + show.label(version), show.approval(version), show.get(version, "/by"),
                          show.get(version, "/path"), show.get(version, "/comment")])
        lines.append(["notes"])
        for note in show.below(f"note/{shot}/"):
            seconds = int(note.rsplit("/", 1)[1][:13]) // 1000
            when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
            version = show.get(note, "/version")
            lines.append([f"  {when:%Y-%m-%d %H:%M}", show.get(note, "/by"),
                          show.label(version) if version in show.documents else "-", show.get(note, "/text")])
        print_aligned(lines)

    def conflicts(self) -> None:
        show = Show(self.collection)
        lines: List[List[str]] = []
        for conflict in self.collection.conflicts():
            lines.append([f"{conflict.document} {conflict.pointer}"])
            for number, rival in enumerate(conflict.rivals):
                line = ["  " + chr(ord("a") + number % 26), value_text(rival.value), "by " + rival.author]
                lines.append(line + ["shown"] if rival.shown else line)
        for version in show.below("version/"):
            _, shot, digits = version.split("/")
            number = show.number(version)
            if sum(show.number(other) == number for other in show.below(f"version/{shot}/")) > 1:
                lines.append([f"{shot}: {show.label(version)} is not the only v{number:03}: "
                              f"tracker renumber {shot} v{number:03}@{digits} NUMBER"])
        print_aligned(lines)


USAGE = {
    "shot": ("NAME TITLE [FRAMES]", 2, 3), "asset": ("NAME KIND [ABOUT]", 2, 3), "use": ("SHOT ASSET", 2, 2),
    "status": ("SHOT|asset/NAME STATUS", 2, 2), "version": ("SHOT PATH [COMMENT]", 2, 3),
    "note": ("SHOT TEXT [VERSION]", 2, 3), "approve": ("SHOT VERSION approved|changes|rejected", 3, 3),
    "renumber": ("SHOT VERSION NUMBER", 3, 3), "list": ("", 0, 0), "show": ("SHOT", 1, 1), "conflicts": ("", 0, 0),
    "settle": ("DOCUMENT POINTER LETTER", 3, 3),
}


def usage() -> str:
    lines = ["usage: tracker [--store STORE] [--collection NAME] COMMAND"]
    lines += [f"  {name} {words}" for name, (words, _, _) in USAGE.items()]
    return "\n".join(lines + ["example: tracker note sh010 'the boat is too dark' v003"])


def main(words: List[str]) -> int:
    options: Dict[str, Optional[str]] = {"--store": None, "--collection": "tracker"}
    while len(words) > 1 and words[0] in options:
        options[words[0]] = words[1]
        words = words[2:]
    if words[:1] == ["--help"]:
        print(usage())
        return 0
    if not words or words[0] not in USAGE:
        print(usage(), file=sys.stderr)
        return saker.UsageError.code
    command, words = words[0], words[1:]
    explained, least, most = USAGE[command]
    try:
        if not least <= len(words) <= most:
            raise saker.UsageError(f"usage: tracker {command} {explained}")
        with saker.open(options["--store"], OPEN_S) as mesh:
            run: Callable[..., None] = getattr(Tracker(mesh, options["--collection"] or "tracker"), command)
            run(*words)
    except saker.SakerError as error:
        sys.stdout.flush()
        print(f"tracker: {error}", file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
