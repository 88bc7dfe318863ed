"""Documents as mappings: what is written is what is read, and what cannot be kept is said."""

import math
import threading

import pytest

import saker

EXACT = [
    None, True, False, 0, -1, 2**63 - 1, -(2**63), 0.0, -0.5, 1.0, 1e300, 5e-324, "", "Dämmerung \U0001f305", "a\0b",
    b"", b"\0\xff", bytes(range(256)),
]


@pytest.mark.parametrize("value", EXACT, ids=repr)
def test_values_come_back_as_they_were(shots, value):
    shots["sq010"]["value"] = value
    got = shots["sq010"]["value"]
    assert type(got) is type(value) and got == value


@pytest.mark.parametrize("value, words", [
    (2**63, "does not fit in 64 bits"), (-(2**63) - 1, "does not fit in 64 bits"),
    (math.nan, "no number that can be kept"), (math.inf, "no number that can be kept"),
    ([1, 2], "lists come in a later version"), ((1,), "lists come in a later version"),
    (object(), "a object cannot be kept"), ({"a": {"b": [1]}}, "a list at /"), ({1: "a"}, "a key is a str"),
    ({"a\0": 1}, "a place holds a zero byte"), ({"a": {(1, 2)}}, "a tuple is no single value"),
    ("\ud800", "half a surrogate pair"), ({"a": math.nan}, "no number"),
], ids=lambda value: repr(value)[:30])
def test_what_cannot_be_kept_is_said(shots, value, words):
    with pytest.raises(saker.InputError, match=words):
        shots["sq010"]["value"] = value
    assert "sq010" not in shots


def test_trees_sets_and_counters(shots):
    shot = {"title": "Dawn", "camera": {"lens": 35, "a/b~c": {"": "empty key"}}, "tags": {"night", "rain"}, "none": {}}
    shots["sq010"] = shot
    assert shots["sq010"].read() == shot and shots["sq010"] == shot
    assert shots["sq010"]["camera"] == {"lens": 35, "a/b~c": {"": "empty key"}}
    assert shots["sq010"]["/camera/a~1b~0c/"] == "empty key"
    assert shots["sq010"]["camera", "a/b~c", ""] == "empty key"
    assert isinstance(shots["sq010"]["tags"], saker.Set) and shots["sq010"]["tags"] == {"night", "rain"}
    shots["sq010"].incr("takes")
    shots["sq010"].incr("takes", -5)
    assert shots["sq010"]["takes"] == -4
    shots["sq010"].add("tags", 1)
    shots["sq010"].add("tags", 1.0)
    shots["sq010"].add("tags", True)
    assert len(shots["sq010"]["tags"]) == 5
    shots["sq010"].remove("tags", 1)
    assert shots["sq010"]["tags"] == saker.Set(["night", "rain", True, 1.0])
    assert shots["sq010"]["tags"] != saker.Set(["night", "rain", True, 1])
    with pytest.raises(saker.InputError):
        shots["sq010"].incr("takes", 1.5)
    with pytest.raises(saker.InputError):
        shots["sq010"].incr("takes", True)


def test_as_a_mapping(shots):
    assert list(shots) == [] and len(shots) == 0 and "sq010" not in shots
    with pytest.raises(KeyError):
        shots["sq010"]["title"]
    with pytest.raises(saker.NotFoundError):
        del shots["sq010"]
    for number in range(3):
        shots[f"sq{number:03}"] = {"n": number}
    assert list(shots) == ["sq000", "sq001", "sq002"] and len(shots) == 3
    assert {name: shot.read() for name, shot in shots.items()} == {f"sq{n:03}": {"n": n} for n in range(3)}
    assert list(shots.ids("sq001")) == ["sq001", "sq002"]
    assert shots["sq000"].get("missing", 7) == 7 and "n" in shots["sq000"]
    assert dict(shots["sq001"]) == {"n": 1} and shots["sq001"].pop("n") == 1
    del shots["sq002"]
    assert list(shots) == ["sq000"]


def test_many_documents_in_pages(shots):
    names = [f"sq{number:04}" for number in range(1200)]
    for begin in range(0, len(names), 400):
        with shots.batch() as batch:
            for name in names[begin:begin + 400]:
                batch[name]["n"] = 1
    assert list(shots) == names


def test_a_batch_is_all_or_nothing(shots):
    with shots.batch() as batch:
        batch.set("sq010", "title", "Dawn")
        batch["sq020"]["tags"] = {"night"}
        batch["sq020"].incr("takes", 2)
        assert len(batch) > 2 and batch.size > 0
    assert batch.result.seq > 0 and not batch.result.repeated
    assert shots["sq020"].read() == {"tags": {"night"}, "takes": 2}
    with pytest.raises(RuntimeError):
        with shots.batch() as batch:
            batch.set("sq010", "title", "Dusk")
            raise RuntimeError("not this time")
    assert shots["sq010"]["title"] == "Dawn"
    with pytest.raises(saker.TypeClashError) as caught:
        with shots.batch() as batch:
            batch.set("sq010", "title", "Dusk")
            batch.set("sq010", "/title/deep", 1)
    assert caught.value.code == 7 and "/title" in str(caught.value)
    assert shots["sq010"]["title"] == "Dawn"


def test_an_operation_is_written_once(shots):
    batch = shots.batch(operation="once", note=b"0123456789abcdef")
    batch.incr("sq010", "takes")
    first, second = batch.write(), batch.write()
    assert (first.repeated, second.repeated) == (False, True)
    assert (first.writer, first.seq, first.note) == (second.writer, second.seq, second.note)
    assert shots["sq010"]["takes"] == 1
    with pytest.raises(saker.InputError):
        shots.batch(operation="x" * 65)
    with pytest.raises(saker.UsageError):
        shots.batch(note=b"short")


def test_expecting_a_state(shots):
    shot = shots["sq010"]
    assert shot.state() == (None, bytes(16))
    shot["title"] = "Dawn"
    shown, state = shot.state()
    assert shown == {"title": "Dawn"}
    shot["title"] = "Dusk"
    with pytest.raises(saker.ChangedError):
        with shots.batch() as batch:
            batch.expect("sq010", "", state)
            batch.set("sq010", "title", "Noon")
    with shots.batch() as batch:
        batch.expect("sq010", "", shot.state()[1])
        batch.set("sq010", "title", "Noon")
    assert shot["title"] == "Noon"


def test_replacing_leaves_alone_what_is_equal(shots):
    shots["sq010"] = {"title": "Dawn", "frames": 120}
    shots["sq010"] = {"title": "Dawn", "frames": 121}
    written = {leaf.pointer: leaf.seq for leaf in shots["sq010"].leaves()}
    assert written["/title"] < written["/frames"]
    shots["sq010"].set_lww("status", "done")
    assert [leaf.cell for leaf in shots["sq010"].leaves("status")] == [saker.Cell.LWW]


def test_history_and_then(shots):
    shot = shots["sq010"]
    shot["title"] = "Dawn"
    before = shot.leaves()[0].time_ms
    with shots.batch() as batch:
        batch.set("sq010", "title", "Dusk")
        batch.incr("sq010", "takes", 3)
    history = shot.history()
    assert len(history) == 2 and history.whole
    newest = history.changes[0]
    assert newest.author == "anna" and newest.time.year >= 2024
    title = [one for one in newest.operations if one.pointer == "/title"][0]
    assert (title.action, title.value, title.bases[0].value) == (saker.Action.SET, "Dusk", "Dawn")
    if before < newest.time_ms:
        assert shot.at(before) == {"title": "Dawn"}
        shot.restore(before)
        assert shot["title"] == "Dawn"


def test_names_that_cannot_be(mesh, shots):
    with pytest.raises(saker.InputError):
        shots["a\0b"]["x"] = 1
    with pytest.raises(saker.LimitError):
        shots["x" * 256]["x"] = 1
    with pytest.raises(saker.SakerError):
        mesh["x" * 65]["a"]["x"] = 1
    deep = current = {}
    for _ in range(40):
        current["a"] = current = {}
    with pytest.raises(saker.LimitError, match="32 levels"):
        shots["sq010"] = deep


def test_a_handle_belongs_to_one_thread(mesh, shots):
    caught = []

    def use():
        try:
            shots["sq010"]["title"] = "Dawn"
        except saker.UsageError as error:
            caught.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert caught == ["this mesh belongs to another thread: open one in each"]
    assert "sq010" not in shots


def test_a_closed_mesh_says_so(anna):
    mesh = anna.open()
    mesh.close()
    mesh.close()
    with pytest.raises(saker.UsageError, match="was closed"):
        mesh.collections()


def test_an_exception_in_a_callback_comes_out(mesh, shots, monkeypatch):
    shots["sq010"]["title"] = "Dawn"

    def interrupted(leaf):
        raise KeyboardInterrupt

    monkeypatch.setattr("saker.records.leaf", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shots["sq010"].leaves()


def test_no_store_and_no_daemon(tmp_path, make_daemon):
    with pytest.raises(saker.NotFoundError, match="is not a saker store"):
        saker.open(tmp_path)
    daemon = make_daemon("alone", "stopped").init()
    daemon.stop()
    with pytest.raises(ConnectionError) as caught:
        saker.open(daemon.store, timeout=0.2)
    assert isinstance(caught.value, saker.UnreachableError) and "sakerd --store" in str(caught.value)


def test_a_handle_survives_its_daemon(make_daemon):
    daemon = make_daemon("phoenix", "restarted").init()
    with daemon.open() as mesh:
        mesh["shots"]["sq010"]["title"] = "Dawn"
        cursor = mesh.now()
        calls = [
            lambda: mesh["shots"]["sq010"].incr("takes"), lambda: mesh["shots"]["sq010"].read(),
            mesh.collections, lambda: list(mesh["shots"]), lambda: mesh["shots"]["sq010"].history(), mesh.conflicts,
            mesh.now, lambda: next(mesh.watch(cursor=cursor)), lambda: mesh.save_cursor("a", cursor), mesh.wait,
            mesh.peers, mesh.status, mesh.verify,
        ]
        for number, call in enumerate(calls):
            daemon.stop(kill=number % 2 == 0)
            daemon.start()
            call()  # the same handle, each time after another restart
        assert mesh["shots"]["sq010"].read() == {"title": "Dawn", "takes": 1}
