"""The queue: what waits is written once, what is refused goes aside."""

import os
import subprocess
import sys

import pytest

import saker


@pytest.fixture(scope="module")
def daemon(make_daemon):
    return make_daemon("dora", "queue").init()


def test_a_queue_outlives_the_daemon(daemon, tmp_path):
    daemon.stop()
    with saker.Queue(tmp_path / "queue", daemon.store) as queue:
        for number in range(3):
            with queue.batch("shots") as batch:
                batch.incr("sq010", "takes")
            assert batch.result == number + 1
        with pytest.raises(saker.UnreachableError, match="3 batches wait") as caught:
            queue.send(timeout=0)
        assert caught.value.sent.written == [] and len(queue) == 3
        with pytest.raises(saker.BusyError):
            saker.Queue(tmp_path / "queue", daemon.store)
    daemon.start()
    with saker.Queue(tmp_path / "queue", daemon.store) as queue, daemon.open() as mesh:
        assert [queued.document for queued in queue.list()] == ["sq010"] * 3
        sent = queue.send(timeout=60)
        assert [queued.number for queued, _ in sent.written] == [1, 2, 3] and sent.refused == []
        assert all(receipt.seq > 0 and not receipt.repeated for _, receipt in sent.written)
        assert mesh["shots"]["sq010"]["takes"] == 3 and len(queue) == 0 and queue


def test_what_is_refused_goes_aside(daemon, tmp_path):
    with saker.Queue(tmp_path / "queue", daemon.store) as queue, daemon.open() as mesh:
        mesh["shots"]["sq020"]["title"] = "Dawn"
        batch = queue.batch("shots", operation="settle it")
        batch.expect("sq020", "", b"\1" * 16)
        batch.set("sq020", "title", "Dusk")
        number = batch.write()
        with queue.batch("shots") as batch:
            batch.set("sq020", "frames", 120)
        sent = queue.send(timeout=60)
        assert len(sent.written) == 1 and [one.number for one in sent.refused] == [number]
        refused = queue.refused()[0]
        assert (refused.error, refused.operation) == (saker.ChangedError.code, b"settle it") and refused.sentence
        assert mesh["shots"]["sq020"].read() == {"title": "Dawn", "frames": 120}
        queue.retry(number)
        assert len(queue) == 1 and queue.refused() == []
        queue.drop(queue.list()[0].number)
        assert queue.list() == []
        with pytest.raises(saker.NotFoundError):
            queue.retry(number)


def test_a_killed_application_loses_nothing(daemon, tmp_path):
    program = (f"import os, saker\nqueue = saker.Queue ({str(tmp_path / 'queue')!r}, {daemon.store!r})\n"
               "with queue.batch ('shots') as batch:\n    batch.incr ('sq030', 'takes')\n"
               "os.kill (os.getpid (), 9)\n")
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", program], env=os.environ).returncode == -9
    with saker.Queue(tmp_path / "queue", daemon.store) as queue, daemon.open() as mesh:
        queue.send(timeout=60)
        assert mesh["shots"]["sq030"]["takes"] == 3


def test_a_limit(daemon, tmp_path):
    with saker.Queue(tmp_path / "queue", daemon.store, limit=200) as queue:
        with pytest.raises(saker.LimitError, match="may hold 200 bytes"):
            for _ in range(10):
                with queue.batch("shots") as batch:
                    batch.incr("sq040", "takes")
        assert 1 <= len(queue) < 10
