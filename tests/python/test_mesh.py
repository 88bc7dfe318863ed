"""Two peers: rivals, watching, waiting, comparing."""

import os
import signal
import subprocess
import sys
import time

import pytest

import saker


@pytest.fixture(scope="module")
def pair(make_daemon):
    one = make_daemon("anna", "pair").init()
    return one, make_daemon("bob", "pair").join(one)


def test_rivals_are_listed_and_settled(pair, until):
    one, other = pair
    with one.open() as mesh:
        mesh["shots"]["sq010"] = {"title": "Dawn"}
        mesh.wait(["bob"], timeout=60)
    other.stop()
    with one.open() as mesh:
        mesh["shots"]["sq010"]["title"] = "Dusk"
    one.stop()
    other.start()
    with other.open() as mesh:
        assert mesh["shots"]["sq010"]["title"] == "Dawn"
        mesh["shots"]["sq010"]["title"] = "Noon"
    other.stop()
    one.start()
    other.start("--seed", one.address)
    with one.open() as mesh:
        conflict = until(lambda: mesh["shots"].conflicts())[0]
        assert (conflict.collection, conflict.document, conflict.pointer) == ("shots", "sq010", "/title")
        assert {(rival.author, rival.value) for rival in conflict.rivals} == {("anna", "Dusk"), ("bob", "Noon")}
        assert [rival.shown for rival in conflict.rivals] == [True, False]
        assert all(rival.bases[0].value == "Dawn" for rival in conflict.rivals)
        assert [leaf.rival for leaf in mesh["shots"]["sq010"].leaves("title")] == [False, True]
        mesh["shots"]["sq010"]["title"] = conflict.rivals[1].value
        assert mesh.conflicts() == [] and mesh["shots"]["sq010"].conflicts("title") == []
        mesh.wait(timeout=60)
        until(lambda: {peer.name: peer.link for peer in mesh.peers()} == {"anna": "self", "bob": "up"})
        verdicts = mesh.verify("shots", timeout=30)
        assert {verdict.peer for verdict in verdicts} == {"anna", "bob"}
        assert all(verdict.same_data for verdict in verdicts)
        assert mesh.status()["device"]["name"] == "anna"
    with other.open() as mesh:
        assert mesh.conflicts() == []


def test_watching(pair, until):
    one, other = pair
    with one.open() as mesh, other.open() as there:
        assert list(mesh.watch("notes", timeout=0)) == []
        watch = mesh.watch("notes", timeout=60)
        with there["notes"].batch() as batch:
            batch["a"]["x"] = 1
            batch["b"]["x"] = 1
        there["notes"]["c"]["x"] = 1
        begin = watch.cursor
        first = next(watch)
        assert (first.author, first.collection, first.document) == ("bob", "notes", "a")
        assert watch.cursor == begin
        assert next(watch).document == "b" and watch.cursor == begin  # a change is seen whole
        assert next(watch).document == "c" and watch.cursor.position == first.position
        again = mesh.watch("notes", cursor=begin, timeout=0)
        assert [event.document for event in again] == ["a", "b", "c"]
        assert again.cursor.position >= first.position + 1


def test_a_named_cursor(pair):
    one, _ = pair
    with one.open() as mesh:
        with pytest.raises(saker.NotFoundError):
            mesh.load_cursor("bridge")
        watch = mesh.watch("bridged", cursor="bridge", timeout=0)
        mesh["bridged"]["a"]["x"] = 1
        mesh["bridged"]["b"]["x"] = 1
        assert next(watch).document == "a"
        watch.save()
        assert next(watch).document == "b"
    with one.open() as mesh:  # b was not done with
        watch = mesh.watch("bridged", cursor="bridge", timeout=0)
        assert [event.document for event in watch] == ["b"]
        watch.save()
        assert list(mesh.watch("bridged", cursor="bridge", timeout=0)) == []
        with pytest.raises(ValueError):
            mesh.watch().save()
        with pytest.raises(saker.GapError):
            next(mesh.watch(cursor=saker.Cursor(bytes(16), 1)))


def test_waiting_in_vain(pair):
    one, other = pair
    other.stop()
    with one.open() as mesh:
        mesh["shots"]["sq020"]["title"] = "Rain"
        with pytest.raises(TimeoutError) as caught:
            mesh.wait("bob", timeout=0.3)
        assert isinstance(caught.value, saker.TimedOutError) and "bob" in str(caught.value)
        with pytest.raises(saker.UnreachableError) as caught:
            mesh.verify("shots", timeout=0.3)
        assert [verdict.reached for verdict in caught.value.verdicts] == [True, False]
    other.start("--seed", one.address)


@pytest.mark.parametrize("what", ["for event in mesh.watch ('none'): pass", "mesh.wait ('carol', timeout = 3600)"])
def test_ctrl_c_ends_what_waits(pair, make_daemon, what):
    one, _ = pair
    if "carol" in what:
        carol = make_daemon("carol", "pair")
        carol.tool("join", "-", "--as", "carol", input=one.tool("invite"))  # and never runs
        with one.open() as mesh:
            mesh["shots"]["sq030"]["title"] = "Fog"
    program = f"import saker\nwith saker.open ({one.store!r}) as mesh:\n    print ('ready', flush = True)\n    {what}\n"
    # whoever runs this in the background may ignore the signal, and a child keeps that
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # it may be in the call by now; before it, the signal ends it all the same
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said and process.returncode != 0
