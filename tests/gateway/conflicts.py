# Rivals: two peers write the same place while they are apart. What the gateway shows, lists and settles; and that
# the state of a document has the same tag on every peer.

from gateway import *

a = Daemon ("anna").start ()
b = Daemon ("bob", ticket = a.tool ("invite")).start ()
A, B = Client (a, a.token ("tests", "--role", "write")), Client (b, b.token ("tests", "--role", "write"))


def put_title (client, value):
    return client.put (doc ("d", rest = "?pointer=/title"), json.dumps (value), Content_Type = "application/json")


def tags ():
    one, other = A.get (doc ("d"))["ETag"], B.get (doc ("d"))["ETag"]
    return one is not None and one == other


def write_apart (first, second):
    """Each writes while the other's daemon is down; then they meet."""
    b.stop ()
    first ()
    a.stop ()
    b.start ()
    second ()
    a.start ()


A.put (doc ("d"), {"title": "Dawn", "n": {"$counter": 1}, "tags": {"$set": ["a"]}})
until ("the same state has the same tag", tags)
write_apart (lambda: A.put (doc ("d"), {"title": "Dusk", "n": 2, "tags": ["a", "b"]}),
             lambda: B.put (doc ("d"), {"title": "Noon", "n": 4, "tags": ["a", "c"]}))
until ("rivals have the same tag", lambda: tags () and A.get (doc ("d"))["Saker-Rivals"] == "1")
r = A.get (doc ("d"))
same ("a counter by put counts every increment", r.json["n"], 5)
same ("a set by put keeps every member", r.json["tags"], ["a", "b", "c"])
full = A.get (doc ("d", rest = "?view=full")).json
same ("the rival is shown", {full["data"]["title"], full["rivals"][0]["value"]}, {"Dusk", "Noon"})
lists = [A.get (path).json for path in ("/v1/conflicts", "/v1/collections/shots/conflicts", doc ("d", rest = "/conflicts"), doc ("d", rest = "/conflicts?pointer=/title"))]
same ("listed everywhere", [[(n["document"], n["pointer"], len (n["rivals"])) for n in l["conflicts"]] for l in lists], [[("d", "/title", 2)]] * 4)
rivals = lists[0]["conflicts"][0]["rivals"]
same ("with what they were written over", {n["over"][0]["value"] for n in rivals}, {"Dawn"})
same ("as the tool lists them", json.loads (a.tool ("conflicts", "--json")), lists[0]["conflicts"][0])
other = next (n for n in rivals if not n["shown"])
tag = r["ETag"]
same ("settled only if unchanged", A.post (doc ("d", rest = "/conflicts"), {"pointer": "/title", "take": other["n"]}, If_Match = '"' + "0" * 32 + '"').status, 412)
same ("no such rival", A.post (doc ("d", rest = "/conflicts"), {"pointer": "/title", "take": 3}).status, 400)
same ("a rival is taken", A.post (doc ("d", rest = "/conflicts"), {"pointer": "/title", "take": other["n"]}, If_Match = tag).status, 200)
r = A.get (doc ("d"))
same ("settled", (r.json["title"], r["Saker-Rivals"]), (other["value"], None))
same ("not again", A.post (doc ("d", rest = "/conflicts"), {"pointer": "/title", "take": 1}).status, 404)
until ("everywhere", lambda: B.get (doc ("d"))["Saker-Rivals"] is None and tags ())

write_apart (lambda: put_title (A, "One"), lambda: put_title (B, {"map": 1}))
until ("a value and a map", lambda: tags () and len (B.get (doc ("d", rest = "/conflicts")).json["conflicts"]) == 1)
body = {"pointer": "/title", "value": "Three"}
first = B.post (doc ("d", rest = "/conflicts"), body, Idempotency_Key = "settle")
same ("settled by another value", (first.status, B.get (doc ("d")).json["title"]), (200, "Three"))
same ("repeated", B.post (doc ("d", rest = "/conflicts"), body, Idempotency_Key = "settle").json, first.json)
until ("without rivals", lambda: tags () and A.get ("/v1/conflicts").json == {"conflicts": [], "more": False})
write_apart (lambda: put_title (A, "Four"), lambda: put_title (B, "Five"))
until ("rivals again", lambda: A.get (doc ("d"))["Saker-Rivals"] == "1")
same ("a plain write to the place settles", put_title (A, "Six").status, 200)
same ("and nothing is left", (A.get (doc ("d"))["Saker-Rivals"], A.get (doc ("d")).json["title"]), (None, "Six"))
finish ()
