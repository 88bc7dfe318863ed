"""Real daemons for the tests of the Python package, on free ports of 127.0.0.1. They are stopped by
their process ids, whatever happens."""

import os
import shutil
import subprocess
import time

import pytest

import saker

BUILD = os.environ["SAKER_BUILD"]
PATIENCE_S = 60


class Daemon:
    """A store, and the daemon on it."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.store = str(folder / name)
        self.process = None

    def tool(self, *words, **more):
        return subprocess.run([BUILD + "/.libs/saker", "--store", self.store, *words], check=True, text=True,
                              capture_output=True, **more).stdout

    def init(self):
        self.tool("init", "studio", "--as", self.name)
        return self.start()

    def join(self, other):
        self.tool("join", "-", "--as", self.name, input=other.tool("invite"))
        return self.start("--seed", other.address)

    def start(self, *options):
        self.process = subprocess.Popen(
            [BUILD + "/.libs/sakerd", "--store", self.store, "--listen", "tcp://127.0.0.1:0", "--no-beacon", *options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("sakerd: ready on "), line
        self.address = line.split()[-1]
        return self

    def stop(self, kill=False):
        if self.process:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process.stdout.close()
            self.process = None

    def open(self):
        return saker.open(self.store, timeout=PATIENCE_S)


@pytest.fixture(scope="session")
def make_daemon(tmp_path_factory):
    """make_daemon("anna") is a store that is not there yet: .init() or .join(other)."""
    folder = tmp_path_factory.mktemp("stores")
    os.chmod(folder, 0o700)
    made = []

    def make(name, group=""):
        home = folder / (group or "alone")
        home.mkdir(exist_ok=True)
        made.append(Daemon(home, name))
        return made[-1]

    yield make
    for daemon in made:
        daemon.stop(kill=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def anna(make_daemon):
    return make_daemon("anna").init()


@pytest.fixture
def mesh(anna):
    with anna.open() as mesh:
        yield mesh


@pytest.fixture
def shots(mesh, request):
    """A collection of the test's own."""
    return mesh[request.node.name.split("[")[0][:60]]


@pytest.fixture(scope="session")
def until():
    """until(condition): tries again until it holds; what it gave then. While it is still being fetched it does not."""

    def wait(condition):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = condition()
            except saker.NotYetError:
                found = None
            if found or time.monotonic() > end:
                assert found, condition
                return found
            time.sleep(0.05)

    return wait
