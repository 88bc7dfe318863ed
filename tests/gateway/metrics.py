# Metrics: the format by a strict reader and by promtool; the numbers against what was done; the alerts, whose metrics
# are all there. And health: live, ready and why not.

from gateway import *
import threading

here = os.path.dirname (os.path.abspath (__file__))
alerts = os.path.join (here, "../../docs/alerts.yml")

NAME = re.compile (r"[a-zA-Z_:][a-zA-Z0-9_:]*")
VALUE = re.compile (r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?|\+Inf|NaN")


def labels_of (text, at):
    """{name="value",...} from `at` on: the labels, and where they end."""
    labels, letters = {}, {"\\": "\\", '"': '"', "n": "\n"}
    at += 1
    while text[at] != "}":
        name = re.compile (r"[a-zA-Z_][a-zA-Z0-9_]*").match (text, at)[0]
        at += len (name)
        assert text[at:at + 2] == '="', text
        at += 2
        value = ""
        while text[at] != '"':
            assert text[at] != "\n"
            value += letters[text[at + 1]] if text[at] == "\\" else text[at]
            at += 2 if text[at] == "\\" else 1
        assert name not in labels, text
        labels[name] = value
        at += 1
        if text[at] == ",":
            at += 1
            assert text[at] != "}", text
    return labels, at + 1


def read (text):
    """The metrics as {(name, labels): value} and the families as {name: type}; raises where the format is broken."""
    families, samples, current = {}, {}, None
    assert text.endswith ("\n")
    lines = text[:-1].split ("\n")
    for i, line in enumerate (lines):
        if line.startswith ("# HELP "):
            name, help = line[7:].split (" ", 1)
            assert NAME.fullmatch (name) and help and name not in families, line
            assert lines[i + 1].startswith (f"# TYPE {name} "), line
            continue
        if line.startswith ("# TYPE "):
            current, kind = line[7:].split (" ")
            assert kind in ("counter", "gauge", "histogram") and lines[i - 1].startswith (f"# HELP {current} "), line
            families[current] = kind
            continue
        name = NAME.match (line)[0]
        labels, end = labels_of (line, len (name)) if line[len (name)] == "{" else ({}, len (name))
        assert line[end] == " " and VALUE.fullmatch (line[end + 1:]), line
        base = re.sub (r"_(bucket|sum|count)$", "", name) if families[current] == "histogram" else name
        assert base == current, line # a family stands together
        assert (families[current] == "counter") == current.endswith ("_total"), line
        key = (name, tuple (sorted (labels.items ())))
        assert key not in samples, line
        samples[key] = float (line[end + 1:])
    return samples, families


def check (what, text):
    try:
        return read (text)
    except (AssertionError, KeyError, TypeError, IndexError, ValueError) as error:
        ok (what, False, repr (error))
        return {}, {}


class Metrics:
    def __init__ (self, client):
        self.answer = client.get ("/metrics")
        self.text = self.answer.body.decode ()
        self.samples, self.families = check ("the format", self.text)

    def get (self, name, **labels):
        """The value of the one sample that has these labels, among others; None: there is none."""
        found = [value for (n, all), value in self.samples.items () if n == name and labels.items () <= dict (all).items ()]
        return found[0] if len (found) == 1 else None

    def sum (self, name, **labels):
        return sum (value for (n, all), value in self.samples.items () if n == name and labels.items () <= dict (all).items ())


# ---- the reader itself notices what is wrong
good = '# HELP a_total b\n# TYPE a_total counter\na_total{x="\\\\\\"\\n"} 1\n'
same ("escapes are read", read (good)[0], {("a_total", (("x", '\\"\n'),)): 1})
for broken in (good[:-1], good.replace ("counter", "gauge"), good.replace (" 1\n", " 1 \n"), good.replace (" 1\n", " x\n"), good + good,
               good.replace ("# HELP a_total b\n", ""), good + 'b_total 1\n', good + "a_total{x=\"\\\\\\\"\\n\"} 2\n", good.replace ("x=", "1x=")):
    try:
        read (broken)
        ok ("a broken text is noticed", False, broken)
    except (AssertionError, KeyError, TypeError, IndexError, ValueError):
        ok ("a broken text is noticed", True)

# ---- two peers, and names that need escapes
a = Daemon ("anna", ["hooks = hooks", "hooks-allow = 127.0.0.0/8"]).start ()
b = Daemon ('b"o\\b', ticket = a.tool ("invite")).start ()
token, reader, narrow = a.token ("tests", "--role", "write"), a.token ("reader"), a.token ("narrow", "--collection", "shots")
A, R = Client (a, token), Client (a, reader)
same ("needs a token", Client (a, None).get ("/metrics").status, 401)
A.put (doc ("d", "shots"), {"x": 1})
A.put (doc ("e", urllib.parse.quote ('q"u\\o~1te', safe = "")), {"x": 1})
until ("bob is linked", lambda: Metrics (R).get ("saker_peer_link", peer = 'b"o\\b', state = "up") == 1)
until ("bob is level", lambda: Metrics (R).get ("saker_peer_behind_changes", peer = 'b"o\\b') == 0)
m = Metrics (R)
same ("type", m.answer["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
same ("not cached", m.answer["Cache-Control"], "no-store")
same ("version", m.get ("saker_build_info", version = a.tool ("--version").split ()[1]), 1)
same ("the mesh", m.get ("saker_mesh_info", mesh = "studio", device = "anna", role = "admin"), 1)
same ("members", (m.get ("saker_members"), m.get ("saker_peers", state = "up"), m.get ("saker_peers", state = "silent")), (2, 1, 0))
same ("a link has one state", [m.get ("saker_peer_link", peer = 'b"o\\b', state = s) for s in ("up", "slow", "silent", "left", "fenced")], [1, 0, 0, 0, 0])
ok ("heard", m.get ("saker_peer_heard_ago_seconds", peer = 'b"o\\b') < 60)
ok ("round trip", 0 < m.get ("saker_peer_round_trip_seconds", peer = 'b"o\\b') < 60)
same ("level", m.get ("saker_peer_behind_seconds", peer = 'b"o\\b'), 0)
same ("collections", {dict (labels)["collection"] for n, labels in m.samples if n == "saker_collection_documents"}, {"shots", 'q"u\\o~1te'})
same ("documents", (m.get ("saker_documents"), m.get ("saker_collection_documents", collection = "shots")), (2, 1))
same ("written", m.get ("saker_changes_written_total"), float (json.loads (a.tool ("status", "--json"))["changes"]["written"]))
ok ("store", m.get ("saker_store_used_bytes") > 4096 and m.get ("saker_store_free_bytes") > 0 and m.get ("saker_log_bytes") > 0)
ok ("process", m.get ("process_resident_memory_bytes") > 1e6 and m.get ("process_open_fds") > 5 and abs (m.get ("process_start_time_seconds") - time.time ()) < 120)
same ("no secret", [t for t in (token, reader, narrow) if t in m.text or t.split ("_", 2)[2] in m.text], [])
narrowed = Metrics (Client (a, narrow))
same ("a token sees its collections alone", {dict (labels)["collection"] for n, labels in narrowed.samples if n == "saker_collection_documents"}, {"shots"})
ok ("in none of its lines", "o~1te" not in narrowed.text)

# ---- behind, in changes and seconds
b.stop ()
for i in range (3):
    A.put (doc ("d"), {"x": i + 2})
written = time.monotonic ()
until ("behind", lambda: Metrics (R).get ("saker_peer_behind_changes", peer = 'b"o\\b') == 3)
until ("for longer and longer", lambda: Metrics (R).get ("saker_peer_behind_seconds", peer = 'b"o\\b') > 1)
lag = Metrics (R).get ("saker_peer_behind_seconds", peer = 'b"o\\b')
ok ("not for longer than that", lag < time.monotonic () - written + 1, lag)
same ("the tool tells the same", json.loads (a.tool ("peers", "--json"))[-1].keys () >= {"behind", "lag_ms"}, True)
ok ("the link is not up", Metrics (R).get ("saker_peer_link", peer = 'b"o\\b', state = "up") == 0)
b.start ()
until ("level again", lambda: Metrics (R).get ("saker_peer_behind_changes", peer = 'b"o\\b') == 0)
same ("and no seconds", Metrics (R).get ("saker_peer_behind_seconds", peer = 'b"o\\b'), 0)

# ---- the gateway's own
before = Metrics (A)
for _ in range (5):
    A.get (doc ("d"))
    A.get (doc ("none"))
    Client (a, "wrong").get ("/metrics")
    R.put (doc ("d"), {})
after = Metrics (A)
D = "/v1/collections/{collection}/documents/{document}"


def more (name, **labels):
    return after.sum (name, **labels) - before.sum (name, **labels)


same ("by route and code", [more ("saker_gateway_requests_total", route = D, method = "GET", code = c) for c in ("200", "404")], [5, 5])
same ("refused", [more ("saker_gateway_requests_total", code = c) for c in ("401", "403")], [5, 5])
same ("timed", more ("saker_gateway_request_seconds_count"), 21)
buckets = [(float (dict (l)["le"].replace ("+Inf", "inf")), v) for (n, l), v in after.samples.items () if n == "saker_gateway_request_seconds_bucket"]
ok ("buckets ascend", buckets == sorted (buckets) and [v for _, v in buckets] == sorted (v for _, v in buckets) and buckets[-1][0] == float ("inf"))
same ("to the count", buckets[-1][1], after.get ("saker_gateway_request_seconds_count"))
ok ("and have a sum", 0 < after.get ("saker_gateway_request_seconds_sum") < 60)
stream = Stream (a, token)
stream.next ()
polls = [Client (a, token) for _ in range (3)]
cursor = A.get ("/v1/changes").json["cursor"]
threads = [threading.Thread (target = p.get, args = (f"/v1/changes?wait=20&cursor={cursor}",)) for p in polls]
for thread in threads:
    thread.start ()
until ("streams and polls", lambda: (Metrics (A).get ("saker_gateway_streams"), Metrics (A).get ("saker_gateway_polls")) == (1, 3))
count = Metrics (A).get ("saker_gateway_request_seconds_count")
A.put (doc ("d"), {"x": 99})
for thread in threads:
    thread.join ()
m = Metrics (A)
same ("what waited is not timed", m.get ("saker_gateway_request_seconds_count") - count, 2)
same ("but counted", m.sum ("saker_gateway_requests_total", route = "/v1/changes"), 5)
ok ("connections", m.get ("saker_gateway_connections") >= 3)
stream.close ()
until ("a stream that ended", lambda: (A.put (doc ("d"), {"x": time.time ()}), Metrics (A).get ("saker_gateway_streams"))[1] == 0)

# ---- webhooks
A.put (doc ("d", "sent"), {"x": 1})
from_here = "/v1/changes?cursor=" + R.get ("/v1/changes").json["cursor"]
a.tool ("hooks", "add", "farm", "http://127.0.0.1:1/", "--collection", "sent", "--attempts", "1")
until ("it is sent", lambda: json.loads (a.tool ("hooks", "show", "farm", "--json"))["sends"])
same ("nothing waits, nothing is dead", [Metrics (R).get (n, hook = "farm") for n in ("saker_hook_waiting", "saker_hook_dead_letters")], [0, 0])
A.put (doc ("d", "sent"), {"x": 2})
until ("a dead letter", lambda: Metrics (R).get ("saker_hook_dead_letters", hook = "farm") == 1)
told = [{n["collection"] for n in Client (a, t).get (from_here).json["changes"]} for t in (reader, a.token ("boss", "--role", "admin"))]
same ("the feed tells of webhooks to the role admin alone", told, [{"sent"}, {"sent", "hooks"}])
stream = Stream (a, reader, from_here)
same ("and so do streams", stream.next_change ()[2]["collection"], "sent")
stream.close ()
same ("not for a token of another collection", Metrics (Client (a, narrow)).get ("saker_hook_dead_letters", hook = "farm"), None)

# ---- a bounded number of series
for i in range (230):
    A.post (f"/v1/collections/many{i}/batch", {"operations": [{"op": "set", "document": "d", "pointer": "/x", "value": i}]})
for i in range (50):
    A.get (f"/nothing/{i}")
m = Metrics (A)
same ("so many collections and no more", len ([1 for n, _ in m.samples if n == "saker_collection_documents"]), 200)
same ("the rest is counted", (m.get ("saker_collections"), m.get ("saker_collections_left_out")), (m.get ("saker_collections"), m.get ("saker_collections") - 200 - 1))
same ("no route of its own for what is not there", m.get ("saker_gateway_requests_total", route = "", code = "404"), 50)
ok ("few lines", len (m.samples) < 1200, len (m.samples))

# ---- the alerts ask for what is there
asked = set (re.findall (r"\b(saker_\w+)", "\n".join (re.findall (r"expr: (.*)", open (alerts).read ()))))
have = set (m.families) | {n for n, _ in m.samples}
same ("every metric of the alerts is there", asked - have, set ())
ok ("and they ask for many", len (asked) > 15, asked)
if shutil.which ("promtool"):
    done = subprocess.run (["promtool", "check", "metrics"], input = m.text, capture_output = True, text = True)
    same ("promtool: metrics", (done.returncode, done.stdout + done.stderr), (0, ""))
    broken = subprocess.run (["promtool", "check", "metrics"], input = m.text.replace ("_total", "_sum"), capture_output = True, text = True)
    ok ("it notices a wrong one", broken.returncode != 0)
    done = subprocess.run (["promtool", "check", "rules", alerts], capture_output = True, text = True)
    same ("promtool: alerts", (done.returncode, "SUCCESS" in done.stdout), (0, True))
else:
    skip ("promtool: it is not there (Debian's package prometheus)")

# ---- health
nobody = Client (a, None)
same ("live needs no token", (nobody.get ("/live").status, nobody.get ("/live").json), (200, {"status": "live"}))
same ("ready does", nobody.get ("/ready").status, 401)
same ("ready", (R.get ("/ready").status, R.get ("/ready").json), (200, {"status": "ready"}))

# ---- who was revoked is no peer any more, and sets off no alert
ok ("bob is a peer", Metrics (R).get ("saker_peer_behind_changes", peer = 'b"o\\b') is not None)
a.tool ("revoke", 'b"o\\b')
until ("then he is none", lambda: not [labels for n, labels in Metrics (R).samples if ("peer", 'b"o\\b') in labels])
m = Metrics (R)
same ("nor counted", (m.get ("saker_members"), m.sum ("saker_peers")), (1, 0))
same ("the page leaves him out, too", [p["name"] for p in R.get ("/v1/mesh").json["peers"]], ["anna"])
same ("it ends well", a.stop (), 0)
finish ()
