"""The structures and numbers of the package are those of saker.h: a compiler tells."""

import ctypes
import os
import re
import shutil
import subprocess

import pytest

import saker
from saker import _native as native
from saker import errors

HEADER = os.environ["SAKER_TOP"] + "/include/saker.h"
STRUCTURES = {
    "value": native.Value, "receipt": native.Receipt, "leaf": native.Leaf, "base": native.Base,
    "operation": native.Operation, "change": native.Change, "begin": native.Begin, "rival": native.Rival,
    "conflict": native.Conflict, "event": native.Event, "cursor": native.Cursor, "peer": native.Peer,
    "verdict": native.Verdict, "queued": native.Queued, "queue_count": native.QueueCount,
    "link": native.Link, "reason": native.Reason, "restored": native.Restored,
    "subscription": native.Subscription, "part": native.Part,
}
NUMBERS = {
    **{"SAKER_" + name: getattr(native, name) for name in (
        "NULL", "BOOL", "INT", "DOUBLE", "TEXT", "BYTES", "MAP", "NOTE_BYTES", "STATE_BYTES")},
    **{"SAKER_" + cell.name: cell.value for cell in saker.Cell},
    **{"SAKER_" + action.name: action.value for action in saker.Action},
    **{"SAKER_WHY_" + cause.name: cause.value for cause in saker.Cause},
    "SAKER_PATH_LEVELS_MAX": 32, "SAKER_TICKET_MAX": native.TICKET_MAX,
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    compiler = os.environ.get("CC", "cc").split()[0]
    if not shutil.which(compiler):
        pytest.skip("no C compiler")
    lines = ['#include "saker.h"', "#include <stdio.h>", "int main (void) {"]
    for name, structure in STRUCTURES.items():
        lines.append(f'printf ("{name} size %zu\\n", sizeof (saker_{name}_t));')
        for field, _ in structure._fields_:
            member = "as" if field == "as_" else field
            lines.append(f'printf ("{name} {field} %zu %zu\\n", offsetof (saker_{name}_t, {member}), '
                         f'sizeof (((saker_{name}_t *) 0)->{member}));')
    for name in NUMBERS:
        lines.append(f'printf ("{name} number %d\\n", (int) {name});')
    folder = tmp_path_factory.mktemp("layout")
    source = folder / "layout.c"
    source.write_text("\n".join(lines + ["return 0; }", ""]))
    subprocess.run([compiler, "-I", os.path.dirname(HEADER), "-o", str(folder / "layout"), str(source)], check=True)
    out = subprocess.run([str(folder / "layout")], check=True, capture_output=True, text=True).stdout
    return set(out.splitlines())


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(compiled, name):
    structure = STRUCTURES[name]
    assert f"{name} size {ctypes.sizeof(structure)}" in compiled
    for field, _ in structure._fields_:
        at = getattr(structure, field)
        assert f"{name} {field} {at.offset} {at.size}" in compiled


def test_numbers(compiled):
    for name, number in NUMBERS.items():
        assert f"{name} number {number}" in compiled


def test_every_member_of_a_structure_is_there():
    with open(HEADER) as file:
        header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    for name, structure in STRUCTURES.items():
        body = re.search(r"typedef struct saker_%s_t \{(.*?)\n\} saker_%s_t;" % (name, name), header, re.S).group(1)
        body = re.sub(r"union \{.*\} as;", "int as;", body, flags=re.S)
        members = [part.strip(" *").split("[")[0] for line in body.split(";") if line.strip()
                   for part in line.strip().split(" ", line.strip().count(" "))[-1:] + line.split(",")[:-1]]
        names = {re.split(r"[\s*]", member)[-1] for member in members}
        assert {field.rstrip("_") for field, _ in structure._fields_} == names, name


def test_errors_one_to_one():
    with open(HEADER) as file:
        listed = re.findall(r'X \(SAKER_E[A-Z]+, (\d+), "([^"]*)"\)', file.read())
    assert {int(code): name for code, name in listed} == {
        kind.code: kind.name for kind in errors.BY_CODE.values()}
    for kind in errors.BY_CODE.values():
        assert kind.__name__ in saker.__all__
    later = errors.make(99, "a sentence")
    assert type(later) is saker.SakerError and later.code == 99
