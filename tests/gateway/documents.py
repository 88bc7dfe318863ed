# Documents as resources: what comes back, what a change does, preconditions, repeats.

from gateway import *
import threading

a = Daemon ("anna").start ()
token = a.token ("tests", "--role", "write")
c = Client (a, token)
u = Client (a, token, local = True)

# ---- health and description
same ("live", c.get ("/live").json, {"status": "live"})
until ("ready", lambda: c.get ("/ready").status == 200)
same ("on the Unix socket", u.get ("/live").status, 200)
same ("the socket is private", os.stat (a.local).st_mode & 0o777, 0o600)
same ("openapi", c.get ("/openapi.json").json["openapi"], "3.0.3")

# ---- put and get
r = c.put (doc ("sq010"), {"title": "Dawn", "frames": 120})
same ("created", (r.status, r["Location"], r.json["changed"]), (201, doc ("sq010"), True))
r = c.get (doc ("sq010"))
same ("read", (r.status, r.json), (200, {"title": "Dawn", "frames": 120}))
same ("as the tool reads it", json.loads (a.tool ("get", "shots/sq010")), r.json)
same ("canonical bytes", r.body, b'{"frames":120,"title":"Dawn"}\n')
ok ("has a time", "GMT" in r["Last-Modified"])
tag = r["ETag"]
same ("unchanged", c.get (doc ("sq010"), If_None_Match = tag).status, 304)
same ("unchanged, weak", c.get (doc ("sq010"), If_None_Match = "W/" + tag).status, 304)
same ("another tag", c.get (doc ("sq010"), If_None_Match = '"x"').status, 200)
same ("HEAD", (c.ask ("HEAD", doc ("sq010")).status, c.ask ("HEAD", doc ("sq010"))["ETag"]), (200, tag))
r = c.put (doc ("sq010"), {"title": "Dawn", "frames": 120})
same ("put of the same", (r.status, r.json["changed"]), (200, False))
same ("leaves the tag", c.get (doc ("sq010"))["ETag"], tag)
r = c.put (doc ("sq010"), {"title": "Dusk"})
same ("replaced", (r.status, c.get (doc ("sq010")).json), (200, {"title": "Dusk"}))
ok ("another tag after a change", c.get (doc ("sq010"))["ETag"] != tag)
tag = c.get (doc ("sq010"))["ETag"]
c.post (doc ("sq010"), {"op": "set", "pointer": "/title", "value": "Dusk"})
ok ("another tag after the same text anew", c.get (doc ("sq010"))["ETag"] != tag)
same ("names with slashes and more", c.put (doc ("a/b c%d\u00e9"), {"x": 1}).status, 201)
same ("are read back", c.get (doc ("a/b c%d\u00e9")).json, {"x": 1})
same ("the tool sees the same name", json.loads (a.tool ("get", "shots/a/b c%d\u00e9")), {"x": 1})
same ("a part", c.put (doc ("sq010", rest = "?pointer=/camera/lens"), 35).status, 201)
same ("a part is read", c.get (doc ("sq010", rest = "?pointer=/camera")).json, {"lens": 35})
same ("a part has its own tag", c.get (doc ("sq010", rest = "?pointer=/camera"))["ETag"] != c.get (doc ("sq010"))["ETag"], True)
same ("prefer", c.put (doc ("sq010", rest = "?pointer=/camera/lens"), 50, Prefer = "return=representation").json, 50)
same ("nothing there", c.get (doc ("none")).status, 404)
same ("no such part", c.get (doc ("sq010", rest = "?pointer=/none")).status, 404)
same ("no such collection", c.get (doc ("none", "nowhere")).status, 404)
same ("deleted", c.delete (doc ("sq010", rest = "?pointer=/camera")).status, 200)
same ("is gone", c.get (doc ("sq010", rest = "?pointer=/camera")).status, 404)
same ("delete of nothing", c.delete (doc ("none")).status, 404)

# ---- kinds of cells
same ("with marks", c.put (doc ("kinds"), {"n": {"$counter": 3}, "tags": {"$set": ["a", "b"]}, "b": {"$bytes": "AAEC"},
     "i": -5, "f": 0.5, "t": True, "z": None, "m": {}, "big": 2 ** 62}).status, 201)
whole = c.get (doc ("kinds")).json
same ("plain", whole, {"n": 3, "tags": ["a", "b"], "b": {"$bytes": "AAEC"}, "i": -5, "f": 0.5, "t": True, "z": None, "m": {}, "big": 2 ** 62})
same ("marked", c.get (doc ("kinds", rest = "?view=marked")).json["tags"], {"$set": ["a", "b"]})
full = c.get (doc ("kinds", rest = "?view=full")).json
same ("full", (full["data"], full["rivals"], full["document"]), (whole, [], "kinds"))
same ("what was read can be put", c.put (doc ("kinds"), whole).json["changed"], False)
whole["n"], whole["tags"] = 7, ["b", "c"]
same ("a counter and a set by put", c.put (doc ("kinds"), whole).status, 200)
same ("are still a counter and a set", c.get (doc ("kinds", rest = "?view=marked")).json["n"], {"$counter": 7})
same ("with these members", c.get (doc ("kinds")).json["tags"], ["b", "c"])
cbor = c.get (doc ("kinds"), Accept = "application/cbor")
same ("CBOR", cbor["Content-Type"], "application/cbor")


def decode (data): # RFC 8949, as much as is needed here
    import struct
    def item (at):
        head = data[at]
        kind, info, at = head >> 5, head & 31, at + 1
        if kind == 7:
            if info == 27:
                return struct.unpack (">d", data[at:at + 8])[0], at + 8
            return {20: False, 21: True, 22: None}[info], at
        size = 0 if info < 24 else 1 << (info - 24)
        n = info if info < 24 else int.from_bytes (data[at:at + size], "big")
        at += size
        if kind < 2:
            return (n if kind == 0 else -1 - n), at
        if kind < 4:
            part = data[at:at + n]
            return (part if kind == 2 else part.decode ()), at + n
        if kind == 4:
            out = []
            for _ in range (n):
                value, at = item (at)
                out.append (value)
            return out, at
        out = {}
        for _ in range (n):
            key, at = item (at)
            out[key], at = item (at)
        return out, at
    value, at = item (0)
    assert at == len (data)
    return value


same ("CBOR holds the same, bytes as bytes", decode (cbor.body), {**c.get (doc ("kinds")).json, "b": b"\x00\x01\x02"})
ok ("CBOR has its own tag", cbor["ETag"] != c.get (doc ("kinds"))["ETag"])
same ("its tag serves as a precondition", c.post (doc ("kinds"), {"op": "increment", "pointer": "/n"}, If_Match = cbor["ETag"]).status, 200)
same ("an error in CBOR", decode (c.get (doc ("none"), Accept = "application/cbor").body)["status"], 404)
same ("JSON is preferred", c.get (doc ("kinds"), Accept = "application/cbor;q=0.5, application/json")["Content-Type"], "application/json")

# ---- operations
same ("increment", c.post (doc ("ops"), {"op": "increment", "pointer": "/n", "by": 5}).status, 200)
c.post (doc ("ops"), {"op": "increment", "pointer": "/n", "by": -2})
c.post (doc ("ops"), {"op": "increment", "pointer": "/n"})
same ("counts", c.get (doc ("ops")).json, {"n": 4})
c.post (doc ("ops"), {"operations": [{"op": "add", "pointer": "/s", "value": "x"}, {"op": "add", "pointer": "/s", "value": "y"}]})
c.post (doc ("ops"), {"op": "remove", "pointer": "/s", "value": "x"})
same ("members", c.get (doc ("ops")).json, {"n": 4, "s": ["y"]})
same ("no such member", c.post (doc ("ops"), {"op": "remove", "pointer": "/s", "value": "q"}).status, 404)
same ("another type", c.post (doc ("ops"), {"op": "increment", "pointer": "/s"}).status, 409)
same ("nothing of a failed batch", c.post (doc ("ops"), {"operations": [{"op": "set", "pointer": "/q", "value": 1},
      {"op": "increment", "pointer": "/s"}]}).status, 409)
same ("is left", c.get (doc ("ops")).json, {"n": 4, "s": ["y"]})
same ("set_lww", c.post (doc ("ops"), {"op": "set_lww", "pointer": "/w", "value": 1}).status, 200)
same ("make_map", c.post (doc ("ops"), {"op": "make_map", "pointer": "/m"}).status, 200)
same ("delete", c.post (doc ("ops"), {"op": "delete", "pointer": "/w"}).status, 200)
same ("all of it", c.get (doc ("ops")).json, {"n": 4, "s": ["y"], "m": {}})

# ---- batch
batch = "/v1/collections/shots/batch"
same ("batch", c.post (batch, {"operations": [{"op": "set", "document": "b1", "pointer": "/x", "value": 1},
     {"op": "set", "document": "b2", "value": {"y": {"z": 2}}}]}).status, 200)
same ("first", c.get (doc ("b1")).json, {"x": 1})
same ("second", c.get (doc ("b2")).json, {"y": {"z": 2}})
tag1 = c.get (doc ("b1"))["ETag"]
same ("batch with expectations", c.post (batch, {"operations": [{"op": "increment", "document": "b3", "pointer": "/n"}],
     "expect": [{"document": "b1", "etag": tag1}, {"document": "b3", "etag": None}]}).status, 200)
same ("that do not hold", c.post (batch, {"operations": [{"op": "increment", "document": "b3", "pointer": "/n"}],
     "expect": [{"document": "b1", "etag": tag1}, {"document": "b3", "etag": None}]}).status, 412)
same ("and nothing was written", c.get (doc ("b3")).json, {"n": 1})

# ---- preconditions
tag = c.get (doc ("b1"))["ETag"]
same ("if-match", c.put (doc ("b1"), {"x": 2}, If_Match = tag).status, 200)
r = c.put (doc ("b1"), {"x": 3}, If_Match = tag)
same ("if-match of before", (r.status, "read it again" in r.detail), (412, True))
same ("one of several", c.put (doc ("b1"), {"x": 4}, If_Match = f'"nonsense", {c.get (doc ("b1"))["ETag"]}').status, 200)
same ("weak never matches", c.put (doc ("b1"), {"x": 5}, If_Match = "W/" + c.get (doc ("b1"))["ETag"]).status, 412)
same ("if-match *", c.put (doc ("b1"), {"x": 6}, If_Match = "*").status, 200)
same ("if-match * of nothing", c.put (doc ("none"), {"x": 6}, If_Match = "*").status, 412)
same ("if-none-match *", c.put (doc ("b1"), {"x": 7}, If_None_Match = "*").status, 412)
same ("creates only", c.put (doc ("fresh"), {"x": 7}, If_None_Match = "*").status, 201)
same ("delete with a precondition", c.delete (doc ("fresh"), If_Match = tag).status, 412)
same ("patch with a precondition", c.merge (doc ("fresh"), {"x": 8}, If_Match = tag).status, 412)
same ("post with a precondition", c.post (doc ("fresh"), {"op": "delete"}, If_Match = tag).status, 412)
same ("nothing happened", c.get (doc ("fresh")).json, {"x": 7})

# ---- races: of many who increment by reading and writing, each one counts
THREADS, ROUNDS = 6, 15
retried = []


def race ():
    client = Client (a, token)
    for _ in range (ROUNDS):
        while True:
            r = client.get (doc ("race"))
            r = client.put (doc ("race"), {"n": r.json["n"] + 1}, If_Match = r["ETag"])
            if r.status == 200:
                break
            assert r.status == 412, r.status
            retried.append (1)


c.put (doc ("race"), {"n": 0})
threads = [threading.Thread (target = race) for _ in range (THREADS)]
[t.start () for t in threads]
[t.join () for t in threads]
same ("no update is lost", c.get (doc ("race")).json, {"n": THREADS * ROUNDS})
ok ("they did meet", retried)


def merge ():
    client = Client (a, token)
    for i in range (ROUNDS):
        assert client.merge (doc ("merged"), {f"{threading.get_ident ()}-{i}": i}).status in (200, 201)


threads = [threading.Thread (target = merge) for _ in range (THREADS)]
[t.start () for t in threads]
[t.join () for t in threads]
same ("no patch is lost", len (c.get (doc ("merged")).json), THREADS * ROUNDS)

# ---- repeats
for what, method, body in (("post", "POST", {"op": "increment", "pointer": "/n"}), ("put", "PUT", {"n": {"$counter": 1}}),):
    first = c.ask (method, doc ("once-" + what), body, Idempotency_Key = "key-" + what)
    c.post (doc ("once-" + what), {"op": "increment", "pointer": "/n", "by": 10})
    again = c.ask (method, doc ("once-" + what), body, Idempotency_Key = "key-" + what)
    same (what + ": the first answer", (again.status, again.json), (first.status, first.json))
    same (what + ": says so", (first["Idempotency-Replayed"], again["Idempotency-Replayed"]), (None, "true"))
    same (what + ": once", c.get (doc ("once-" + what)).json, {"n": 11})
    other = c.ask (method, doc ("once-" + what), {"op": "increment", "pointer": "/q"} if what == "post" else {"q": 1}, Idempotency_Key = "key-" + what)
    same (what + ": another body under the key", other.status, 422)
c.put (doc ("tested"), {"x": 1})
steps = [{"op": "test", "path": "/x", "value": 1}, {"op": "replace", "path": "/x", "value": 2}]
same ("a patch with a test", c.patch (doc ("tested"), steps, Idempotency_Key = "patch").status, 200)
same ("repeated: not tested anew", c.patch (doc ("tested"), steps, Idempotency_Key = "patch").status, 200)
same ("without the key it is", c.patch (doc ("tested"), steps).status, 409)
tag = c.get (doc ("tested"))["ETag"]
same ("if-match and a key", c.put (doc ("tested"), {"x": 3}, If_Match = tag, Idempotency_Key = "m").status, 200)
same ("repeated: no 412", c.put (doc ("tested"), {"x": 3}, If_Match = tag, Idempotency_Key = "m").status, 200)
other = Client (a, a.token ("other", "--role", "write"))
same ("a key of another token is another", other.post (doc ("once-post"), {"op": "increment", "pointer": "/n"}, Idempotency_Key = "key-post")["Idempotency-Replayed"], None)
first = c.post (doc ("kept"), {"op": "increment", "pointer": "/n"}, Idempotency_Key = "restart").json
a.stop ()
a.start ()
c = Client (a, token)
r = c.post (doc ("kept"), {"op": "increment", "pointer": "/n"}, Idempotency_Key = "restart")
same ("a repeat after a restart", (r.json, r["Idempotency-Replayed"], c.get (doc ("kept")).json), (first, "true", {"n": 1}))

results = []
def at_once (): results.append (Client (a, token).post (doc ("once"), {"op": "increment", "pointer": "/n"}, Idempotency_Key = "together"))
threads = [threading.Thread (target = at_once) for _ in range (12)]
[t.start () for t in threads]
[t.join () for t in threads]
same ("twelve at once: one increment", c.get (doc ("once")).json, {"n": 1})
same ("and one answer", {(n.status, n.body) for n in results}, {(200, results[0].body)})
same ("the first of which is none of a repeat", sum (n["Idempotency-Replayed"] is None for n in results), 1)

# ---- a daemon that is killed in the midst of writes: what was not answered is sent again, and each counts once
KEYS, WRITERS = 100, 4


def keep_on (number):
    client = Client (a, token)
    for i in range (KEYS):
        while True:
            try:
                answer = client.post (doc ("killed"), {"op": "increment", "pointer": "/n"}, Idempotency_Key = f"k{number}-{i}")
                if answer and answer.status == 200:
                    break
            except OSError: # it is down
                client.close ()
                time.sleep (0.02)


threads = [threading.Thread (target = keep_on, args = (n,)) for n in range (WRITERS)]
[t.start () for t in threads]
kills = 0
while any (t.is_alive () for t in threads) and kills < 5:
    time.sleep (0.05)
    a.kill ()
    a.start ()
    kills += 1
[t.join (DEADLINE_S) for t in threads]
ok ("it was killed meanwhile", kills >= 2, kills)
same ("each counts once", c.get (doc ("killed")).json, {"n": KEYS * WRITERS})

# ---- lists
names = c.get ("/v1/collections").json["collections"]
same ("collections", [n["name"] for n in names], ["shots"])
all_names = c.get ("/v1/collections/shots/documents").json["documents"]
ok ("documents", "kinds" in all_names and all_names == sorted (all_names, key = lambda n: n.encode ()))
pages, start = [], ""
while start is not None:
    r = c.get (f"/v1/collections/shots/documents?limit=3&from={urllib.parse.quote (start)}").json
    pages += r["documents"]
    start = r.get ("next")
same ("in pages", pages, all_names)
same ("of no collection", c.get ("/v1/collections/none/documents").status, 404)

same ("a start that is too long", c.get ("/v1/collections/shots/documents?from=" + "x" * 256).status, 400)

# ---- what is too much
r = c.put (doc ("big"), {"x": "y" * 61441})
same ("a value over its limit", (r.status, "61441" in r.detail), (413, True))
same ("a change over its limit", c.put (doc ("big"), {f"k{i}": "y" * 1000 for i in range (100)}).status, 413)
same ("a body over its limit", c.put (doc ("big"), "x" * (1 << 20) + "y", Content_Type = "application/json").status, 413)
same ("too deep", c.put (doc ("deep"), json.loads ('{"a":' * 40 + "1" + "}" * 40)).status, 413)
same ("an array", c.put (doc ("list"), {"l": [1, 2]}).status, 400)
finish ()
