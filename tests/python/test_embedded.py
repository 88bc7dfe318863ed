"""A replica in the process of Python; what a peer carries; a client that moves on."""

import subprocess
import sys
import threading

import pytest

import saker


@pytest.fixture(scope="module")
def anna_and_laptop(make_daemon):
    """A daemon, and a store for the process itself."""
    anna = make_daemon("anna", "embedded").init()
    laptop = make_daemon("laptop", "embedded")
    saker.join(laptop.store, anna.tool("invite").strip(), "laptop", timeout=60)
    return anna, laptop


def open_laptop(anna, laptop, **more):
    return saker.open_embedded(laptop.store, {"seed": [anna.address], "beacon": "no"}, **more)


def come(check):
    """What is on its way may not be there yet."""
    try:
        return check()
    except saker.NotYetError:
        return False


def test_writes_reach_a_daemon_and_come_back(anna_and_laptop, until):
    anna, laptop = anna_and_laptop
    lines = []
    with open_laptop(anna, laptop, log=lambda level, line: lines.append((level, line))) as mine, anna.open() as hers:
        mine["shots"]["sq010"] = {"title": "Dawn"}
        assert until(lambda: hers["shots"]["sq010"].read() if "sq010" in hers["shots"] else None) == {"title": "Dawn"}
        hers["shots"]["sq020"] = {"title": "Dusk"}
        hers.wait(["laptop"], timeout=60)
        assert mine["shots"]["sq020"]["title"] == "Dusk"
        mine.wait(["anna"], timeout=60)
    assert any("link to anna" in line for _, line in lines)


def test_threads_share_it_and_other_processes_do_not(anna_and_laptop):
    anna, laptop = anna_and_laptop
    errors = []

    def work(number):
        try:
            with open_laptop(anna, laptop) as mesh:
                for i in range(20):
                    mesh["counts"]["all"].incr("n")
                    mesh["counts"][f"thread{number}"] = {"i": i}
        except Exception as error:  # shown below
            errors.append(error)

    with open_laptop(anna, laptop) as mesh:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert mesh["counts"]["all"]["n"] == 80
        other = subprocess.run([sys.executable, "-c", "import saker, sys; saker.open_embedded (sys.argv[1])", laptop.store],
                               capture_output=True, text=True)
        assert other.returncode != 0 and "BusyError" in other.stderr
        assert laptop.tool("get", "counts/all", "--raw").strip() == '{"n":80}'  # the tool talks to it


def test_what_it_is_told_wrong(anna_and_laptop, tmp_path):
    anna, laptop = anna_and_laptop
    with pytest.raises(saker.NotFoundError):
        saker.open_embedded(tmp_path / "none")
    with pytest.raises(saker.InputError, match="colour"):
        saker.open_embedded(laptop.store, {"colour": "red"})
    with pytest.raises(saker.ExistsError):
        saker.init(laptop.store, "studio", "laptop")


def test_it_carries_what_it_is_told_to(anna_and_laptop, until):
    anna, laptop = anna_and_laptop
    with open_laptop(anna, laptop) as mine, anna.open() as hers:
        for name in ("sq010", "sq020", "sq030"):
            hers["plates"][name] = {"n": 1}
        hers.wait(["laptop"], timeout=60)
        mine.carry("plates", ["sq02"])
        until(lambda: list(mine["plates"]) == ["sq020"])
        assert [part.prefixes for part in mine.parts()] == [("sq02",)]
        with pytest.raises(saker.NotCarriedError):
            mine["plates"]["sq010"] = {"n": 2}
        mine.carry("plates")
        until(lambda: come(lambda: len(list(mine["plates"])) == 3))
        assert mine.unsubscribe("plates", timeout=60)
        assert "plates" not in mine.collections()
        assert {s.collection: s.state for s in mine.subscriptions()}["plates"] == "left"
        assert mine.subscribe("plates")
        until(lambda: come(lambda: "plates" in mine.collections() and len(list(mine["plates"])) == 3))
        with pytest.raises(saker.RightError):
            hers.unsubscribe("plates")


def test_reads_do_not_go_backwards_at_another_peer(anna_and_laptop):
    anna, laptop = anna_and_laptop
    with open_laptop(anna, laptop) as mine, anna.open() as hers:
        hers["shots"]["sq040"] = {"title": "Noon"}
        token = hers.seen("shots")
        mine.wait_seen(token, timeout=60)
        assert mine["shots"]["sq040"]["title"] == "Noon"
        with pytest.raises(saker.InputError):
            mine.wait_seen("no token")


def test_who_joins_for_some_gets_nothing_else(make_daemon, until):
    anna = make_daemon("anna", "joins").init()
    with anna.open() as hers:
        hers["shots"]["sq010"] = {"title": "Dawn"}
        hers["shots"]["sq020"] = {"title": "Dusk"}
        hers["notes"]["a"] = {"n": 1}
        hers["renders"]["r"] = {"n": 2}
    ticket = anna.tool("invite").strip()
    tablet = make_daemon("tablet", "joins")
    with pytest.raises(saker.InputError):
        saker.join(tablet.store, ticket, "tablet", only={"shots": [""]})
    saker.join(tablet.store, ticket, "tablet", timeout=60, only={"shots": ["sq010"], "notes": None})
    with open_laptop(anna, tablet) as mine:
        assert until(lambda: come(lambda: "sq010" in mine["shots"] and "a" in mine["notes"]))
        assert {one.collection for one in mine.subscriptions()} == {"shots", "notes"}
        with pytest.raises(saker.NotCarriedError):
            mine["renders"]["r"].read()
        with pytest.raises(saker.NotCarriedError):
            mine["shots"]["sq020"].read()


def test_what_is_on_its_way_is_not_nothing(make_daemon, until):
    anna = make_daemon("anna", "later").init()
    with anna.open() as hers:
        hers["shots"]["sq010"] = {"title": "Dawn"}
    laptop = make_daemon("laptop", "later")
    saker.join(laptop.store, anna.tool("invite").strip(), "laptop", timeout=60, only="shots")
    with saker.open_embedded(laptop.store, {"beacon": "no"}) as mine:  # it cannot reach anybody
        for ask in (lambda: mine["shots"]["sq010"].read(), lambda: list(mine["shots"]), lambda: mine.watch("shots"),
                    lambda: mine["shots"]["sq010"].delete()):
            with pytest.raises(saker.NotYetError):
                ask()
    with open_laptop(anna, laptop) as mine:
        assert until(lambda: come(lambda: mine["shots"]["sq010"]["title"] == "Dawn"))
        assert until(lambda: come(lambda: list(mine["shots"]) == ["sq010"]))
        with pytest.raises(saker.NotFoundError):
            mine["shots"]["sq020"].read()
