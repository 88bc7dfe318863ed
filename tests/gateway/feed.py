# The change feed: pages, long polls, server-sent events; what happens at restarts, to cursors that are too old, to
# readers that stop, and with many of them.

from gateway import *
import threading

a = Daemon ("anna").start ()
token = a.token ("tests", "--role", "write")
c = Client (a, token)
until ("ready", lambda: c.get ("/ready").status == 200)

# ---- pages
start = c.get ("/v1/changes").json
same ("now", start["changes"], [])
c.put (doc ("d1"), {"x": 1})
c.post ("/v1/collections/shots/batch", {"operations": [{"op": "set", "document": n, "pointer": "/x", "value": 2} for n in ("d2", "d3")]})
c.put (doc ("n1", "notes"), {"x": 1})
page = c.get ("/v1/changes?cursor=" + start["cursor"]).json
same ("three changes", [(n["collection"], n["documents"]) for n in page["changes"]], [("shots", ["d1"]), ("shots", ["d2", "d3"]), ("notes", ["n1"])])
same ("with author", {n["author"] for n in page["changes"]}, {"anna"})
same ("the last cursor", page["changes"][-1]["cursor"], page["cursor"])
same ("none after it", c.get ("/v1/changes?cursor=" + page["cursor"]).json["changes"], [])
same ("one collection", [n["documents"] for n in c.get ("/v1/collections/notes/changes?cursor=" + start["cursor"]).json["changes"]], [["n1"]])
same ("a collection that is not there yet", c.get ("/v1/collections/none/changes?cursor=" + start["cursor"]).status, 200)
seen, cursor = [], start["cursor"]
while (part := c.get (f"/v1/changes?limit=1&cursor={cursor}").json)["changes"]:
    same ("a page of one", len (part["changes"]), 1)
    seen += part["changes"]
    cursor = part["cursor"]
same ("page by page the same", seen, page["changes"])
before_all = start["cursor"]

# ---- long polls
begin = time.monotonic ()
same ("a poll that ends", c.get (f"/v1/changes?wait=1&cursor={cursor}").json["changes"], [])
ok ("waited", 0.9 < time.monotonic () - begin < 10, time.monotonic () - begin)
polls = []
def poll (path): polls.append (Client (a, token).get (path).json["changes"])
waiting = [threading.Thread (target = poll, args = (path,)) for path in (f"/v1/changes?wait=60&cursor={cursor}", f"/v1/changes?wait=60", f"/v1/collections/notes/changes?wait=60&cursor={cursor}")]
[t.start () for t in waiting]
time.sleep (0.5)
c.put (doc ("n2", "notes"), {"x": 1})
[t.join (30) for t in waiting]
same ("polls that wait are answered", [[n["documents"] for n in changes] for changes in polls], [[["n2"]]] * 3)

# ---- streams
s = Stream (a, token)
same ("a stream", (s.status, s.head["content-type"]), (200, "text/event-stream"))
event, first, data = s.next ()
ok ("begins with a cursor", event == "" and first and data is None)
c.put (doc ("d4"), {"x": 1})
event, cursor, data = s.next_change ()
same ("a change", (event, data["documents"], data["cursor"]), ("change", ["d4"], cursor))
a.tool ("set", "shots/d5", '{"by": "the tool"}')
same ("of another program", s.next_change ()[2]["documents"], ["d5"])
s.close ()
again = Stream (a, token, Last_Event_ID = cursor)
same ("resumed", again.next_change ()[2]["documents"], ["d5"])
again.close ()
again = Stream (a, token, "/v1/changes?cursor=" + before_all)
same ("from the start", [again.next_change ()[2]["documents"] for _ in range (6)], [["d1"], ["d2", "d3"], ["n1"], ["n2"], ["d4"], ["d5"]])
again.close ()
only = Stream (a, token, "/v1/collections/notes/changes", Last_Event_ID = before_all)
same ("one collection", [only.next_change ()[2]["documents"] for _ in range (2)], [["n1"], ["n2"]])
c.put (doc ("d6"), {"x": 1})
c.put (doc ("n3", "notes"), {"x": 1})
same ("and goes on", only.next_change ()[2]["documents"], ["n3"])
only.close ()

# ---- nothing is left out and nothing comes twice, whatever the reader's pace
COUNT = 6000 # more than the ring has
s = Stream (a, token, "/v1/collections/many/changes")
s.next ()


def write_many (client, first, count):
    for i in range (first, first + count):
        client.post (doc (f"m{i % 50}", "many"), {"op": "set", "pointer": "/n", "value": i})


writers = [threading.Thread (target = write_many, args = (Client (a, token), i * 1000, COUNT // 6)) for i in range (6)]
[t.start () for t in writers]
seqs = []
while len (seqs) < COUNT:
    event = s.next_change ()
    if not ok ("a change comes", event and event[0] == "change", event):
        break
    seqs.append (event[2]["seq"])
    if len (seqs) == 100:
        slow = s.last # from here on a second reader comes, much later
[t.join () for t in writers]
same ("every change once, in order", seqs, list (range (1, COUNT + 1)))
s.close ()
late = Stream (a, token, "/v1/collections/many/changes", Last_Event_ID = slow)
same ("one that comes later gets the rest", [late.next_change ()[2]["seq"] for _ in range (COUNT - 100)], list (range (101, COUNT + 1)))
late.close ()

# ---- restarts of either side
s = Stream (a, token)
s.next ()
c.put (doc ("d7"), {"x": 1})
cursor = s.next_change ()[1]
a.stop ()
same ("a stream ends with the daemon", s.next (), None)
a.start ()
c = Client (a, token)
c.put (doc ("d8"), {"x": 1})
s = Stream (a, token, Last_Event_ID = cursor)
same ("and is resumed after its restart", s.next_change ()[2]["documents"], ["d8"])
s.close ()

# ---- gaps
other = "0" * 32 + "-7"
s = Stream (a, token, Last_Event_ID = other)
event, cursor, data = s.next_change ()
same ("another epoch: a gap", (event, data["cursor"]), ("gap", cursor))
c.put (doc ("d9"), {"x": 1})
same ("and goes on from now", s.next_change ()[2]["documents"], ["d9"])
s.close ()
answer = c.get ("/v1/changes?cursor=" + other)
same ("a page", (answer.status, answer.json["code"]), (410, "gap"))
ok ("says where to go on", c.get ("/v1/changes?cursor=" + answer.json["cursor"]).status == 200)
a.configure (["history = 0"])
a.stop ()
a.start ()
c = Client (a, token)
a.tool ("gc")
until ("the log is empty", lambda: c.get ("/v1/changes?cursor=" + before_all).status == 410)
s = Stream (a, token, Last_Event_ID = before_all)
same ("what is no longer kept: a gap", s.next_change ()[0], "gap")
s.close ()
a.configure ()
a.stop ()
a.start ()
c = Client (a, token)
until ("ready again", lambda: c.get ("/ready").status == 200)

# ---- readers that stop cost nothing
c.post (doc ("warm", "load"), {"op": "set", "pointer": "/n", "value": 0})
stopped = [Stream (a, token, "/v1/collections/load/changes") for _ in range (200)]
for s in stopped:
    s.sock.setsockopt (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
before = a.rss_kb ()
names = [f"{i}-" + "x" * 200 for i in range (60)]


def write_wide (client, count):
    for i in range (count):
        client.post ("/v1/collections/load/batch", {"operations": [{"op": "set", "document": n, "pointer": "/n", "value": i} for n in names]})


writers = [threading.Thread (target = write_wide, args = (Client (a, token), 250)) for _ in range (4)]
[t.start () for t in writers]
[t.join () for t in writers]
grown = a.rss_kb () - before # 1,000 changes of 12 KiB each in the feed: 2.4 GB for all readers
sanitized = b"__asan_" in open (SAKERD, "rb").read () # which keeps what is freed for a while
ok ("200 readers that stopped", grown < (1000000 if sanitized else 150000), f"{grown} KiB more")
same ("requests are answered", c.get ("/live").status, 200)
print (f"200 readers that stopped: {grown} KiB more")
for s in stopped:
    s.close ()

# ---- many idle streams
COUNT = 1000
streams = [Stream (a, token, "/v1/collections/quiet/changes") for _ in range (COUNT)]
same ("many streams", {s.status for s in streams}, {200})
[s.next () for s in streams]
c.put (doc ("q", "quiet"), {"x": 1})
same ("each gets the change", {tuple (s.next_change ()[2]["documents"]) for s in streams}, {("q",)})
begin = time.monotonic ()
for i in range (200):
    c.put (doc ("busy", "load"), {"x": i})
ok ("200 writes beside them", time.monotonic () - begin < 20, time.monotonic () - begin)
begin = time.monotonic ()
same ("the daemon ends with all of them", a.stop (), 0)
ok ("soon", time.monotonic () - begin < 15, time.monotonic () - begin)
same ("and so do they", {s.next () for s in streams}, {None})
[s.close () for s in streams]

# ---- the limit of connections
a.configure (["gateway-connections = 20"])
a.start ()
clients = [Client (a, token) for _ in range (20)]
same ("up to it", {n.get ("/live").status for n in clients}, {200})
answer = Client (a, token).get ("/live")
same ("beyond", (answer.status, answer["Retry-After"]), (503, "5"))
clients[0].close ()
until ("room again", lambda: (n := Client (a, token).get ("/live")) and n.status == 200)
[n.close () for n in clients]
a.stop ()
a.configure (["gateway-connections-per-address = 5"])
a.start ()
clients = [Client (a, token) for _ in range (5)]
same ("up to the limit of an address", {n.get ("/live").status for n in clients}, {200})
same ("beyond", raw (a, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"), None)
[n.close () for n in clients]
a.stop ()

# ---- few open files
a.configure (["gateway-connections = 5000"])
a.start (prefix = ("bash", "-c", 'ulimit -n 1100 && exec "$0" "$@"'))
ok ("too few open files are told", "may open 1100 files" in a.said and "LimitNOFILE" in a.said, a.said)
same ("and it serves", Client (a, token).get ("/live").status, 200)

# ---- those who say nothing, or say it slowly
silent = [connect (a) for _ in range (50)]
half = [connect (a) for _ in range (50)]
trickle = connect (a)
trickle.sendall (b"GET /live HTTP/1.1\r\n")
closed = []


def drip ():
    begin = time.monotonic ()
    try:
        while time.monotonic () - begin < DEADLINE_S:
            trickle.sendall (b"X: y\r\n")
            time.sleep (0.5)
    except (BrokenPipeError, ConnectionResetError):
        closed.append (time.monotonic () - begin)


dripping = threading.Thread (target = drip)
dripping.start ()
[s.sendall (b"GET /live HTTP/1.1\r\nHost: loc") for s in half]
begin = time.monotonic ()
same ("nobody waits for them", Client (a, token).get ("/live").status, 200)
ok ("at once", time.monotonic () - begin < 5, time.monotonic () - begin)
silent[0].settimeout (30)
same ("who says nothing is closed", silent[0].recv (1), b"")
half[0].settimeout (60)
try:
    got = half[0].recv (1)
except ConnectionResetError:
    got = b""
ok ("who stops in the middle, too", got == b"" or b"HTTP".startswith (got))
dripping.join ()
ok ("and who goes on without an end", closed, closed)
[s.close () for s in silent + half + [trickle]]

# ---- a peer that leaves a collection begins another epoch, and answers all the while
b = Daemon ("bob", ticket = a.tool ("invite")).start ()
bobs = Client (b, b.token ("tests", "--role", "write"))
until ("bob has it", lambda: bobs.get (doc ("n1", "notes")).status == 200)
cursor = bobs.get ("/v1/changes").json["cursor"]
b.tool ("unsubscribe", "notes")
same ("ready", bobs.get ("/ready").status, 200)
same ("changes from now", bobs.get ("/v1/changes").status, 200)
same ("a cursor of before is a gap", bobs.get ("/v1/changes?cursor=" + cursor).status, 410)
for path in (doc ("n1", "notes"), "/v1/collections/notes/documents", "/v1/collections/notes/conflicts"):
    answer = bobs.get (path)
    same ("it is not there, and why", (answer.status, answer.json["code"]), (404, "not carried here"))
    ok ("with the next step", "saker subscribe notes" in answer.detail, answer.detail)
same ("stopped", b.stop (), 0)
same ("stopped", a.stop (), 0)
finish ()
