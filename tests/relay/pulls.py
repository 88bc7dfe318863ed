"""pulls.py SAKER SAKERD QUEUER CUTS: cables are pulled in the middle of a client's writes.

Each client speaks to the daemon through a cable of this program: a socket in a folder that looks like
a store, whose bytes go to the real socket until, after a random number of them, both ends are closed.
Now and then a client, or the daemon, is killed with SIGKILL and started again. When CUTS cables were
pulled, the clients end and what is there is compared with what they wrote: each write once."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

saker, sakerd, queuer, cuts_wanted = sys.argv[1:5]
cuts_wanted = int (cuts_wanted)
CLIENTS = 4
BYTES_MAX = 2500  # of one connection: its handshake takes some 300, a write and its receipt some 250
SEED = int (os.environ.get ("SEED", time.time ()))
END_S = 120


class Cable:
    """One folder with a socket, before the daemon's."""

    def __init__ (self, folder, store):
        self.folder, self.store = folder, store
        self.cuts = 0
        self.sound = False  # nothing is cut any more
        os.makedirs (folder + "/run", 0o700)
        open (folder + "/device.key", "w").close ()

    async def open (self):
        self.server = await asyncio.start_unix_server (self.carry, self.folder + "/run/api")

    async def carry (self, reader, writer):
        try:
            ends = await asyncio.open_unix_connection (self.store + "/run/api")
        except OSError:  # no daemon runs
            writer.transport.abort ()
            return
        left = [random.randrange (1, BYTES_MAX)]
        done, others = await asyncio.wait (
            [asyncio.ensure_future (self.pump (reader, ends[1], left)),
             asyncio.ensure_future (self.pump (ends[0], writer, left))],
            return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel ()
        for end in writer, ends[1]:
            end.transport.abort ()

    async def pump (self, reader, writer, left):
        """Returns when an end is closed, or the cable was pulled."""
        try:
            while data := await reader.read (4096):
                pulled = not self.sound and len (data) >= left[0] > 0
                keep = left[0] if pulled else len (data)
                left[0] -= keep
                writer.write (data[:keep])
                await writer.drain ()
                if pulled:
                    self.cuts += 1
                    return
        except OSError:
            pass


class Client:
    def __init__ (self, name, work, store):
        self.name, self.queue = name, f"{work}/queue-{name}"
        self.cable = Cable (f"{work}/cable-{name}", store)
        self.kills = 0

    def start (self):
        self.process = subprocess.Popen ([queuer, self.cable.folder, self.queue, self.name],
                                         stdout=subprocess.PIPE, text=True)

    def kill (self):
        self.process.kill ()
        self.process.wait ()
        self.kills += 1
        self.start ()


class Daemon:
    def __init__ (self, store):
        self.store = store
        self.kills = 0

    def start (self):
        self.process = subprocess.Popen (
            [sakerd, "--store", self.store, "--listen", "tcp://127.0.0.1:0", "--no-beacon"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline ()
        assert line.startswith ("sakerd: ready on"), line

    def kill (self):
        self.process.kill ()
        self.process.wait ()
        self.kills += 1


async def pull_and_kill (daemon, clients):
    began = time.monotonic ()
    while (pulled := sum (client.cable.cuts for client in clients)) < cuts_wanted:
        assert time.monotonic () - began < 600, f"only {pulled} cables were pulled in 10 minutes"
        await asyncio.sleep (random.uniform (0.1, 0.8))
        chance = random.random ()
        if chance < 0.5:
            random.choice (clients).kill ()
        elif chance < 0.65:
            daemon.kill ()
            await asyncio.sleep (random.uniform (0, 0.3))
            await asyncio.to_thread (daemon.start)
        for client in clients:
            assert client.process.poll () is None, f"client {client.name} ended by itself"


async def end_clients (clients):
    """What each has written, by its own count."""
    written = {}
    for client in clients:
        client.cable.sound = True
    for client in clients:
        assert client.process.stdout.readline () == "ready\n"  # it listens to signals
        client.process.send_signal (signal.SIGTERM)
        line = await asyncio.wait_for (asyncio.to_thread (client.process.stdout.read), END_S)
        status, words = await asyncio.to_thread (client.process.wait), line.split ()
        assert status == 0 and words[:1] == ["done"], f"{client.name}: exit status {status}: {line}"
        assert words[5] == "0", f"{client.name}: {words[5]} were refused"
        written[client.name] = int (words[1])
    return written


def compare (store, written):
    def get (document):
        return json.loads (subprocess.run ([saker, "--store", store, "get", "load/" + document],
                                           check=True, capture_output=True).stdout)
    wrong = 0
    total, wanted = get ("total")["count"], sum (written.values ())
    if total != wanted:
        print (f"not ok: the counter is {total}, {wanted} were written (SEED={SEED})")
        wrong += 1
    for name, count in written.items ():
        members = get (name)["written"]
        if sorted (members) != list (range (1, count + 1)):
            missing = sorted (set (range (1, count + 1)) - set (members))
            print (f"not ok: {name} wrote {count}, {len (members)} are there, not {missing[:20]} (SEED={SEED})")
            wrong += 1
    return wrong


async def main (work):
    random.seed (SEED)
    store = work + "/store"
    subprocess.run ([saker, "--store", store, "init", "studio", "--as", "anna"], check=True,
                    stdout=subprocess.DEVNULL)
    daemon = Daemon (store)
    clients = [Client (f"client{i}", work, store) for i in range (CLIENTS)]
    try:
        daemon.start ()
        for client in clients:
            await client.cable.open ()
            client.start ()
        await pull_and_kill (daemon, clients)
        written = await end_clients (clients)
        wrong = compare (store, written)
        print (f"{sum (c.cable.cuts for c in clients)} cables pulled, {sum (c.kills for c in clients)} clients "
               f"and {daemon.kills} daemons killed, {sum (written.values ())} writes")
        print (f"{1 + CLIENTS - wrong} passed, {wrong} failed, 0 skipped")
        return 1 if wrong else 0
    finally:
        for owner in clients + [daemon]:
            if process := getattr (owner, "process", None):
                process.kill ()


with tempfile.TemporaryDirectory (prefix="saker-pulls-") as folder:
    sys.exit (asyncio.run (main (folder)))
