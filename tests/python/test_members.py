"""Links, roles, where a document is, backups: what an admin's program asks."""

import pytest

import saker

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def trio(make_daemon):
    one = make_daemon("anna", "trio").init()
    with one.open() as mesh:
        ticket = mesh.invite("read", expires=60)
        with pytest.raises(saker.UsageError):
            mesh.invite("king")
    carol = make_daemon("carol", "trio")
    saker.join(carol.store, ticket, "carol")
    return one, make_daemon("bob", "trio").join(one), carol.start("--seed", one.address)


def link_of(mesh, name):
    return next(link for link in mesh.links() if link.name == name)


def test_links(trio, until):
    one, *_ = trio
    with one.open() as mesh:
        until(lambda: {link.name: link.state for link in mesh.links()} == {"anna": "self", "bob": "up", "carol": "up"})
        bob = until(lambda: link_of(mesh, "bob").hears and link_of(mesh, "bob"))
        assert bob.role == "write" and bob.address.startswith("tcp://127.0.0.1:") and bob.greeted
        assert not (bob.calls or bob.fenced or bob.doubled) and bob.timeouts == bob.bad_answers == 0
        assert 0 < until(lambda: link_of(mesh, "bob").rtt_us) < 60_000_000 and bob.requests > 0
        assert until(lambda: link_of(mesh, "bob").skew_ms is not None)
        assert link_of(mesh, "anna").id in bob.hears
        assert link_of(mesh, "carol").role == "read"


def test_why(trio, until):
    one, other, _ = trio
    with one.open() as mesh:
        mesh["shots"]["sq010"] = {"title": "Dawn"}
        mesh.wait(["bob"], timeout=60)
        there = mesh.why("shots", "sq010", "bob")
        assert (there.cause, there.peer, there.own, there.author) == (saker.Cause.THERE, "bob", False, "anna")
        assert mesh.why("shots", "sq010").own
        assert mesh.why("shots", "nowhere").cause is saker.Cause.UNKNOWN
        with pytest.raises(saker.NotFoundError):
            mesh.why("shots", "sq010", "dora")
    other.stop()
    with one.open() as mesh:
        mesh["shots"]["sq010"]["title"] = "Dusk"
        reason = until(lambda: mesh.why("shots", "sq010", "bob"))
        assert reason.cause in (saker.Cause.UNCONNECTED, saker.Cause.QUEUED) and reason.changes == 1
    other.start("--seed", one.address)
    with one.open() as mesh:
        until(lambda: mesh.why("shots", "sq010", "bob").cause is saker.Cause.THERE)


def test_roles(trio, until):
    one, other, carol = trio
    with one.open() as mesh, carol.open() as hers:
        with pytest.raises(saker.RightError):
            hers["notes"]["a"] = {"n": 1}
        with pytest.raises(saker.RightError):
            hers.role("bob", "read")
        mesh.role("carol", "write", collection="notes")

        def writes():
            try:
                hers["notes"]["a"] = {"n": 1}
            except saker.RightError:
                return False
            return True

        until(writes)
        with pytest.raises(saker.RightError):
            hers["shots"]["a"] = {"n": 1}
        with pytest.raises(saker.UsageError):
            mesh.role("carol", "king")
        mesh.role("carol", "none")
        assert {peer.name: (peer.role, peer.link) for peer in mesh.peers()}["carol"] == ("none", "revoked")
        assert link_of(mesh, "carol").state == "revoked"
        assert mesh.why("shots", "sq010", "carol").cause is saker.Cause.NO_RIGHT


def test_backup_and_restore(make_daemon, tmp_path):
    dora = make_daemon("dora", "kept").init()
    file, steps = tmp_path / "dora.backup", []
    with dora.open() as mesh:
        mesh["shots"]["sq010"] = {"title": "Dawn"}
        mesh.backup(file, PASSPHRASE, lambda done, total: steps.append((done, total)))
        with pytest.raises(saker.ExistsError):
            mesh.backup(file, PASSPHRASE)
        with pytest.raises(saker.InputError):
            mesh.backup(tmp_path / "short", "short")
        with pytest.raises(ZeroDivisionError):
            mesh.backup(tmp_path / "ended", PASSPHRASE, lambda done, total: 1 / 0)
    assert steps and all(done <= total for done, total in steps) and not (tmp_path / "ended").exists()
    dora.stop()
    with pytest.raises(saker.ForgedError):
        saker.restore(tmp_path / "wrong", file, "wrong horse battery")
    assert not (tmp_path / "wrong").exists()
    again = make_daemon("again", "kept")
    restored = saker.restore(again.store, str(file), PASSPHRASE)
    assert (restored.mesh, restored.device) == ("studio", "dora") and restored.taken.year >= 2024
    with pytest.raises(saker.ExistsError):
        saker.restore(again.store, file, PASSPHRASE)
    again.start()
    with again.open() as mesh:
        assert mesh["shots"]["sq010"].read() == {"title": "Dawn"}
        assert mesh.status()["incarnation"]["count"] == 2
