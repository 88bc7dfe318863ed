"""The example that syncs the metadata of a folder of shots, between three peers."""

import json
import os
import subprocess
import sys

import pytest

import saker

TOP = os.environ["SAKER_TOP"]


class Syncing:
    """One machine: a daemon, a folder, and the example that keeps them the same."""

    def __init__(self, daemon, folder):
        self.daemon, self.folder, self.process = daemon, folder, None
        folder.mkdir()
        self.log = folder.parent / (folder.name + ".log")

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [sys.executable, TOP + "/tools/examples/folder_sync.py", str(self.folder), "--store",
                 self.daemon.store, "--interval", "0.1"], stdout=log, stderr=subprocess.STDOUT, env=os.environ)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def write(self, shot, data):
        path = self.folder / (shot + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else json.dumps(data))

    def edit(self, shot, **fields):
        self.write(shot, {**self.read(shot), **fields})

    def read(self, shot):
        try:
            return json.loads((self.folder / (shot + ".json")).read_text())
        except FileNotFoundError:
            return None

    def said(self, words):
        return words in self.log.read_text()


@pytest.fixture
def three(make_daemon, tmp_path):
    anna = make_daemon("anna", "folders").init()
    daemons = [anna, make_daemon("bob", "folders").join(anna), make_daemon("carol", "folders").join(anna)]
    machines = [Syncing(daemon, tmp_path / daemon.name) for daemon in daemons]
    for machine in machines:
        machine.start()
    yield machines
    for machine in machines:
        machine.stop()


def test_three_people_and_a_folder(three, until):
    anna, bob, carol = three

    def all_have(shot, data, who=three):
        until(lambda: all(machine.read(shot) == data for machine in who))

    # a file appears everywhere, and changes of different fields merge
    anna.write("sq010/sh020", {"title": "Dawn", "frames": 120, "camera": {"lens": 35}, "tags": ["rain", "night"]})
    all_have("sq010/sh020", {"title": "Dawn", "frames": 120, "camera": {"lens": 35}, "tags": ["night", "rain"]},
             (bob, carol))
    bob.edit("sq010/sh020", frames=130)
    all_have("sq010/sh020", {"title": "Dawn", "frames": 130, "camera": {"lens": 35}, "tags": ["night", "rain"]},
             (bob, carol))
    until(lambda: anna.read("sq010/sh020")["frames"] == 130)

    # bob's machine is alone for a while: all of them go on
    bob.daemon.stop()
    bob.edit("sq010/sh020", title="Dusk", camera={"lens": 50}, tags=["night", "rain", "bob"])
    bob.write("sq010/sh030", {"title": "Fog", "list": [[1]]})
    anna.daemon.stop()
    carol.daemon.stop()
    bob.daemon.start()
    until(lambda: bob.daemon.tool("get", "shots/sq010/sh020", "/title") == '"Dusk"\n')
    until(lambda: bob.said("sq010/sh030: not synced: an array of arrays"))
    bob.daemon.stop()
    anna.daemon.start()
    carol.daemon.start("--seed", anna.daemon.address)
    anna.edit("sq010/sh020", title="Noon", tags=["night", "anna"])
    carol.edit("sq010/sh020", status="final")
    until(lambda: anna.read("sq010/sh020").get("status") == "final" and carol.read("sq010/sh020")["title"] == "Noon")
    bob.daemon.start("--seed", anna.daemon.address)

    # what does not clash is merged; what does is shown, and settled by changing it again
    until(lambda: all(machine.said("conflict: sq010/sh020 /title: ") for machine in three))
    until(lambda: all(machine.read("sq010/sh020") == anna.read("sq010/sh020") for machine in three))
    merged = anna.read("sq010/sh020")
    assert merged.pop("title") in ("Dusk", "Noon")
    assert merged == {"frames": 130, "camera": {"lens": 50}, "status": "final", "tags": ["anna", "bob", "night"]}
    carol.edit("sq010/sh020", title="Late noon")
    until(lambda: all(machine.said("settled: sq010/sh020 /title") for machine in three))
    until(lambda: all(machine.read("sq010/sh020")["title"] == "Late noon" for machine in three))

    # half a file is not taken for an empty one; a file that goes, goes everywhere
    anna.write("sq010/sh020", '{"title": "Lat')
    until(lambda: anna.said("sq010/sh020: not synced: "))
    assert bob.read("sq010/sh020")["title"] == "Late noon"
    anna.write("sq010/sh020", {"title": "Later"})
    until(lambda: all(machine.read("sq010/sh020") == {"title": "Later"} for machine in three))
    carol.stop()
    (anna.folder / "sq010" / "sh020.json").unlink()
    until(lambda: bob.read("sq010/sh020") is None)
    assert bob.read("sq010/sh030") == {"title": "Fog", "list": [[1]]}
    carol.write("sq010/sh040", {})  # while the example does not run
    carol.start()
    until(lambda: carol.read("sq010/sh020") is None and anna.read("sq010/sh040") == {})


def test_a_collection_that_is_not_carried_is_not_empty(make_daemon, tmp_path, until):
    anna = make_daemon("anna", "left").init()
    bob = make_daemon("bob", "left").join(anna)
    folder = tmp_path / "shots"
    folder.mkdir()

    def sync():
        return subprocess.run([sys.executable, TOP + "/tools/examples/folder_sync.py", str(folder), "--store", bob.store,
                               "--once"], capture_output=True, text=True, env=os.environ)

    anna.tool("set", "shots/sq010", '{"title": "Dawn"}')
    anna.tool("wait", "--on", "bob", "--timeout", "60s")
    assert sync().returncode == 0 and (folder / "sq010.json").exists()
    bob.tool("unsubscribe", "shots", "--timeout", "60s")
    (folder / "sq020.json").write_text('{"title": "Fog"}')
    left = sync()
    assert left.returncode == saker.NotCarriedError.code and "saker subscribe shots" in left.stderr
    assert (folder / "sq010.json").exists()
    with bob.open() as mesh, pytest.raises(saker.NotCarriedError):
        list(mesh["shots"])
    bob.tool("subscribe", "shots")
    until(lambda: sync().returncode == 0)
    bob.tool("wait", "--all", "--timeout", "60s")
    assert anna.tool("ls", "shots").split() == ["sq010", "sq020"]
