# The page, in a headless Chromium: three daemons, a conflict that a click settles, changes as they come, names and
# values that would like to be markup. With SHOTS=FOLDER it leaves pictures there.

from gateway import *
from chrome import Chrome
import threading

SHOTS = os.environ.get ("SHOTS")


class Relay:
    """Stands between browser and gateway: can cut connections, and hears what is sent."""

    def __init__ (self, port):
        self.port, self.open, self.heard, self.pairs = port, True, [], []
        self.swap = None # bytes to be replaced in what the browser sends
        self.listener = socket.create_server (("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname ()[1]}/"
        threading.Thread (target = self.accept, daemon = True).start ()

    def accept (self):
        while True:
            near, _ = self.listener.accept ()
            if not self.open:
                near.close ()
                continue
            try:
                far = socket.create_connection (("127.0.0.1", self.port))
            except ConnectionRefusedError: # its daemon is down
                near.close ()
                continue
            self.pairs.append ((near, far))
            threading.Thread (target = self.carry, args = (near, far, True), daemon = True).start ()
            threading.Thread (target = self.carry, args = (far, near, False), daemon = True).start ()

    def carry (self, source, target, asks):
        try:
            while data := source.recv (65536):
                if asks:
                    data = re.sub (*self.swap, data) if self.swap else data
                    self.heard.append (data)
                target.sendall (data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown (socket.SHUT_RDWR)
            except OSError:
                pass

    def cut (self):
        self.open = False
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown (socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def mend (self):
        self.open = True


a = Daemon ("anna").start ()
a.configure (listen = ("unix", f"127.0.0.1:{a.port}")) # it stays there
b = Daemon ("bob", ticket = a.tool ("invite")).start ()
c = Daemon ("cleo", ticket = a.tool ("invite")).start ()
writer, reader = a.token ("page", "--role", "write"), a.token ("looks")
A, B = Client (a, writer), Client (b, b.token ("page", "--role", "write"))


def write_apart (first, second):
    """Each writes while the others' daemons are down; then they meet."""
    b.stop ()
    c.stop ()
    first ()
    a.stop ()
    b.start ()
    second ()
    a.start ()
    c.start ()


def title (value):
    return {"op": "set", "pointer": "/title", "value": value}


A.put (doc ("sq010"), {"title": "Dawn"})
A.put (doc ("sq020"), {"title": "Harbour", "frames": 120})
until ("bob has both", lambda: B.get (doc ("sq020")).status == 200)
write_apart (lambda: [A.post (doc (d), title (v)) for d, v in (("sq010", "Dusk"), ("sq020", "Market"))],
             lambda: [B.post (doc (d), title (v)) for d, v in (("sq010", "Noon"), ("sq020", "Pier"))])
until ("two conflicts", lambda: len (A.get ("/v1/conflicts").json["conflicts"]) == 2)

relay = Relay (a.port)
chrome = Chrome ()
atexit.register (chrome.close)
page = chrome.page ()


def shoot (name, top = True, **options):
    if SHOTS:
        if top:
            page.run ("scrollTo (0, 0)")
        page.shoot (os.path.join (SHOTS, name + ".png"), **options)


def expect_network (status):
    """What was refused on purpose is in the console, too."""
    text = f"log: network: Failed to load resource: the server responded with a status of {status}"
    before = len (page.problems)
    page.problems = [p for p in page.problems if not p.startswith (text)]
    return before - len (page.problems)


def seen (what, script, seconds = DEADLINE_S):
    return until (what, lambda: page.run (script), seconds)


def expect_cuts ():
    """The gateway was not there, or its daemon had just begun."""
    page.problems = [p for p in page.problems if not re.match ("log: network: .*(net::ERR_|a status of 503)", p)]


def card (document):
    return f"#conflicts [data-document=\"{document}\"]"


def enter (token):
    page.run ("document.getElementById ('token').value = ''; document.getElementById ('token').focus ()")
    page.type (token)
    page.enter ()


# ---- the token

page.scheme ("light")
page.size (1280, 1000)
page.open (relay.url)
seen ("a token is asked for", "!document.getElementById ('entry').hidden && document.activeElement.id === 'token'")
shoot ("token")
enter ("saker_wrong")
seen ("a wrong one is told so", "document.getElementById ('entry-problem').textContent.includes ('not known here')")
same ("and nothing is kept of it", page.run ("sessionStorage.length"), 0)
same ("the console tells it once", expect_network (401), 1)
enter (writer)
seen ("live", "document.getElementById ('state').textContent === 'live'")
same ("kept in this tab", page.run ("[sessionStorage.length, localStorage.length, document.cookie]"), [1, 0, ""])

# ---- the picture

seen ("links are up", "document.querySelectorAll ('#picture .member.up').length === 2")
same ("named", page.run ("[...document.querySelectorAll ('#picture .name')].map (n => n.textContent).sort ()"),
      ["anna", "bob", "cleo"])
same ("this peer is marked", page.run ("document.querySelector ('#picture .self').textContent"), "anna: this peerannathis peer")
seen ("and told", "document.querySelector ('#picture svg').getAttribute ('aria-label') === 'anna, this peer, and its links to other members: 2 up'")
seen ("each has its lag", "[...document.querySelectorAll ('#peers tr:not(:first-child)')].every (r => r.innerText.includes ('level'))")
shoot ("light")
c.stop ()
for i in range (5):
    A.post (doc ("sq010"), {"op": "increment", "pointer": "/takes"})
seen ("one that is away is behind", "/slow|silent|left/.test (document.querySelector ('#picture .member:not(.up)')?.className.baseVal) "
      "&& /5 changes behind, \\d/.test (document.querySelector ('#picture .member:not(.up)').textContent)")
same ("not so the other", page.run ("document.querySelectorAll ('#picture .member.up').length"), 1)
seen ("told for all", "document.getElementById ('tiles').innerText.includes ('5 changes')")
shoot ("away")
c.start ()
seen ("and back", "document.querySelectorAll ('#picture .member.up').length === 2 && !document.querySelector ('#picture .behind')")

# ---- pictures for docs/gateway.md

if SHOTS:
    for n, v in enumerate (("sq030", "sq040", "sq050", "sq060")):
        B.put (doc (v), {"title": "Bridge", "frames": 96 + n})
    a_studio = [("bob", "up", 0, 0, 300), ("cleo", "left", 5, 190000, 190000), ("render-01", "up", 0, 0, 400), ("render-02", "up", 0, 0, 200),
                ("render-03", "slow", 212, 14000, 6100), ("archive", "up", 0, 0, 700), ("story-laptop", "silent", 1740, 5460000, 5460000),
                ("mocap", "up", 3, 700, 100), ("finn", "fenced", 48211, 36 * 86400000, 36 * 86400000)]
    mesh = A.get ("/v1/mesh").json
    mesh["mesh"]["members"] = 1 + len (a_studio)
    mesh["store"]["used_bytes"] = 812345678
    mesh["token"]["role"], mesh["hooks"] = "admin", "hooks"
    at = time.strftime ("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime ())
    page.stub ("/v1/hooks", {"more": False, "hooks": [{"name": "farm", "url": "https://farm.studio.example/hook", "collection": "shots", "state": "active",
                                                       "reason": "", "sends": "anna", "waiting": 0, "dead": 1}]})
    page.stub ("/deliveries?limit=30", {"more": False, "deliveries": [
        {"event": str (i), "document": d, "time": at, "result": r, "status": c, "why": w, "took_ms": t, "attempt": n}
        for i, (d, r, c, w, t, n) in enumerate ((("sq060", "delivered", 200, "", 14, 1), ("sq050", "failed", 503, "it answered 503", 9, 12), ("sq040", "delivered", 200, "", 11, 2)))]})
    page.stub ("/dead?limit=50", {"more": False, "dead": [{"event": "1", "document": "sq050", "time": at, "attempts": 12, "status": 503, "why": "it answered 503"}]})
    mesh["peers"] = [p for p in mesh["peers"] if p["link"] == "self"] + [
        {"name": name, "id": f"{i:016x}", "role": "relay" if name == "archive" else "write", "link": link, "address": f"tcp://10.0.0.{20 + i}:5677",
         "seen_ms": seen, "behind": behind, "lag_ms": lag, "rtt_us": 400 + 70 * i if link == "up" else -1}
        for i, (name, link, behind, lag, seen) in enumerate (a_studio)]
    page.stub ("/v1/mesh", mesh)
    page.until ("document.querySelectorAll ('#peers tr').length === 10 && document.querySelectorAll ('#changes li').length >= 9")
    page.until ("document.querySelectorAll ('#hooks tbody tr').length === 4")
    for name in ("light", "dark"):
        page.scheme (name)
        page.size (1120, 900)
        page.until ("document.querySelector ('#picture svg').getAttribute ('width') > 1000")
        shoot ("page-" + name)
    page.scheme ("light")
    page.size (1280, 1000)
    for stubbed in list (page.stubs):
        page.stub (stubbed, None)
    page.until ("document.querySelectorAll ('#peers tr').length === 3")

# ---- settling

seen ("conflicts are listed", "document.querySelectorAll ('#conflicts article').length === 2")
same ("with rival, author", page.run (f"[...document.querySelectorAll ('{card ('sq010')} pre')].map (n => n.innerText).sort ()"),
      ['"Dusk"', '"Noon"'])
rival = f"[...document.querySelectorAll ('{card ('sq010')} .rival')].find (n => n.innerText.includes ('Dusk'))"
page.run (f"{rival}.querySelector ('button').id = 'chosen'")
page.click ("#chosen")
seen ("a click settles", "document.querySelectorAll ('#conflicts article').length === 1")
ok ("and says so", "Settled" in page.text ("#conflicts-said"), page.text ("#conflicts-said"))
same ("in the store", A.get (doc ("sq010")).json["title"], "Dusk")
until ("and at others", lambda: B.get (doc ("sq010"))["Saker-Rivals"] is None and B.get (doc ("sq010")).json["title"] == "Dusk")

# A button that was looked at before the document changed.
page.run (f"old = document.querySelector ('{card ('sq020')} .rival:not(.shown) button')")
A.post (doc ("sq020"), {"op": "set", "pointer": "/frames", "value": 240})
seen ("another place changes", "document.getElementById ('changes').innerText.includes ('sq020')")
B.post (doc ("sq020"), title ("Quay"))
seen ("settled elsewhere", "document.querySelectorAll ('#conflicts article').length === 0")
page.run ("old.click ()")
seen ("a stale click is refused", "/^Not settled: the rivals changed meanwhile/.test (document.getElementById ('conflicts-said').innerText)")
same ("and changes nothing", A.get (doc ("sq020")).json["title"], "Quay")

# The document changes between the page's last look and its request.
write_apart (lambda: A.post (doc ("sq020"), title ("Lake")), lambda: B.post (doc ("sq020"), title ("Shore")))
seen ("a conflict again", "document.querySelectorAll ('#conflicts article').length === 1")
relay.swap = (rb'(?i)If-Match: "[0-9a-f]+"', b'If-Match: "' + b"0" * 32 + b'"')
page.click (card ("sq020") + " button")
seen ("a stale state is refused", "/^Not settled: it was changed meanwhile/.test (document.getElementById ('conflicts-said').innerText)")
relay.swap = None
same ("by the gateway", expect_network (412), 1)
page.run (f"document.querySelector ('{card ('sq020')} .rival:not(.shown) button').focus ()")
loser = page.run ("document.activeElement.closest ('.rival').querySelector ('pre').innerText")
page.enter ()
seen ("the keyboard settles", "document.querySelectorAll ('#conflicts article').length === 0")
same ("by what was chosen", json.dumps (A.get (doc ("sq020")).json["title"]), loser)
seen ("and is not lost", "document.activeElement.id === 'conflicts-heading'")
shoot ("settled")

# ---- changes as they come

count = "document.querySelectorAll ('#changes li').length"
before = page.run (count)
B.put (doc ("live"), {"x": 1})
seen ("a change arrives", f"{count} > {before} && document.querySelector ('#changes li').innerText.includes ('bob wrote shots/live')")
relay.heard.clear ()
relay.cut ()
seen ("the page notices", "document.getElementById ('state').textContent !== 'live'")
shoot ("cut")
for i in range (3):
    B.put (doc (f"meanwhile{i}"), {"x": i})
until ("they are at anna", lambda: A.get (doc ("meanwhile2")).status == 200)
relay.mend ()
seen ("it goes on behind the last one", "['meanwhile0', 'meanwhile1', 'meanwhile2'].every (name => "
      "[...document.querySelectorAll ('#changes li')].filter (n => n.innerText.includes (name)).length === 1)")
seen ("live again", "document.getElementById ('state').textContent === 'live'")
ok ("by Last-Event-ID", any (re.search (rb"(?i)last-event-id: [0-9a-f]{32}-\d+", data) for data in relay.heard))
same ("no gap so far", page.run ("document.querySelectorAll ('#changes .gap').length"), 0)
relay.cut ()
relay.swap = (rb"(?i)(last-event-id): [0-9a-f]{32}-\d+", rb"\1: " + b"0" * 32 + b"-1")
relay.mend ()
seen ("a gap shows", "document.querySelectorAll ('#changes .gap').length === 1")
relay.swap = None
B.put (doc ("after"), {"x": 1})
seen ("and it goes on", "document.querySelector ('#changes li').innerText.includes ('after')")
page.click ("#pause")
B.put (doc ("held"), {"x": 1})
seen ("held back", "document.getElementById ('changes-said').innerText.includes ('1 held back')")
page.click ("#pause")
seen ("shown", "document.querySelector ('#changes li').innerText.includes ('held')")
expect_cuts ()

many = 1500
for i in range (many):
    A.post (doc (f"many{i}"), {"op": "increment", "pointer": "/n"})
seen ("many changes", f"document.querySelector ('#changes li').innerText.includes ('many{many - 1}') && {count} === 200")
ok ("all are counted", int (page.text ("#changes-said").split ()[0]) > many, page.text ("#changes-said"))
A.post ("/v1/collections/shots/batch", {"operations": [{"op": "delete", "document": f"many{i}"} for i in range (1000)]})

# ---- names and values that would like to be more than text

nasty = ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "javascript:alert(1)", "'); alert (1); //",
         "😀👩‍👩‍👧‍👦🏳️‍🌈", "مرحبا بالعالم", "left\u202eright", "a" * 250, "line\none\ttab", "{{constructor}}", "&lt;b&gt;", "%00%2e%2e/"]
names = "".join (name + "\n" for name in nasty)
write_apart (lambda: [A.put (doc (n, "nasty"), {"<b>k</b>": {"v": n}, "big": 9007199254740993}) for n in nasty],
             lambda: [B.put (doc (n, "nasty"), {"<b>k</b>": {"v": "<svg onload=alert(1)>" + n}, "big": 9007199254740995}) for n in nasty])
seen ("all are listed", f"document.querySelectorAll ('#conflicts article').length === {2 * len (nasty)}")
expect_cuts ()
seen ("and came", f"document.querySelectorAll ('#changes li').length >= {len (nasty)}")
same ("as text", page.run ("document.querySelectorAll ('#board img, #board script, #board b, #board [onload], #board [onerror]').length"), 0)
same ("as they are", page.run ("[...document.querySelectorAll ('#conflicts article')].filter (n => n.dataset.document.startsWith ('<img'))[0].innerText.includes ('<img src=x onerror=alert(1)>')"), True)
ok ("what turns text around is named", "left‹U+202E›right" in page.text ("#conflicts"))
ok ("large numbers are whole", "9007199254740993" in page.text ("#conflicts") and "9007199254740995" in page.text ("#conflicts"))
target = f"[...document.querySelectorAll ('#conflicts article')].find (n => n.dataset.document.startsWith ('<img') && n.innerText.includes ('/big'))"
page.run (target + ".querySelector ('.rival:not(.shown) button').id = 'nasty'")
left = page.run ("document.querySelectorAll ('#conflicts article').length")
page.click ("#nasty")
seen ("settled all the same", f"document.querySelectorAll ('#conflicts article').length === {left - 1}")
same ("in the store", A.get (doc (nasty[0], "nasty"))["Saker-Rivals"], "1")
for width in (1920, 1000, 360):
    page.size (width, 900)
    same (f"nothing sticks out at {width}", page.run ("document.documentElement.scrollWidth <= innerWidth"), True)
    shoot (f"nasty-{width}")

# ---- many members, of all states

STATES = ["up", "slow", "silent", "left", "fenced"]


def made_up (count):
    mesh = A.get ("/v1/mesh").json
    mine = next (p for p in mesh["peers"] if p["link"] == "self")
    mesh["peers"] = [mine] + [{"name": ["render", "<b>Ärger & Co</b>", "workstation-with-a-long-name"][i % 3] + f"-{i:02}",
                               "id": f"{i:016x}", "role": "write", "link": STATES[i % 7 % 5 if i % 2 else 0],
                               "address": f"tcp://10.0.0.{i}:5677", "seen_ms": 400 if i % 2 == 0 else 95000 + i,
                               "behind": 0 if i % 3 else i * 111, "lag_ms": 0 if i % 3 else i * 7000, "rtt_us": 900 if i % 2 == 0 else -1}
                              for i in range (1, count)]
    return mesh


overlap = """(() => { const boxes = [...document.querySelectorAll ('#picture .member text')].map (n => n.getBoundingClientRect ());
    const frame = document.getElementById ('picture').getBoundingClientRect ();
    const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
    return [boxes.some ((a, i) => boxes.some ((b, k) => i < k && hit (a, b))),
            boxes.some (b => b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top || b.bottom > frame.bottom)]; }) ()"""
for count in (1, 2, 3, 16, 50):
    page.stub ("/v1/mesh", made_up (count))
    for width in (1920, 1280, 360):
        page.size (width, 900)
        seen (f"{count} members", f"document.querySelectorAll ('#picture .member').length === {count - 1} && document.querySelectorAll ('#peers tr').length === {count}")
        until (f"{count} members at {width}: no text over another, none cut", lambda: page.run (overlap) == [False, False], 5)
        same (f"nothing sticks out at {width}", page.run ("document.documentElement.scrollWidth <= innerWidth"), True)
        shoot (f"members-{count}-{width}", whole = False)
page.size (1280, 900)
page.scheme ("dark")
shoot ("members-50-dark", whole = False)
page.stub ("/v1/mesh", made_up (16))
seen ("fewer", "document.querySelectorAll ('#peers tr').length === 16")
shoot ("members-16-dark", whole = False)
page.stub ("/v1/mesh", None)
seen ("the real ones", "document.querySelectorAll ('#peers tr').length === 3")
shoot ("dark")
page.scheme ("light")

# ---- for those who do not see it

tree = page.call ("Accessibility.getFullAXTree")["nodes"]
used = [n for n in tree if n.get ("role", {}).get ("value") in ("button", "textbox", "link", "image", "table", "list", "region", "log")]
same ("all have a name", [n["role"]["value"] for n in used if not n.get ("name", {}).get ("value") and n["role"]["value"] in ("button", "textbox", "link", "table", "region")], [])
page.run ("document.body.focus (); document.activeElement.blur (); scrollTo (0, 0)")
reached = set ()
for _ in range (150):
    page.tab ()
    reached.add (page.run ("document.activeElement.id || document.activeElement.innerText.slice (0, 20)"))
ok ("Tab reaches everything", {"leave", "pause", "changes", "Keep this"} <= reached, reached)

# ---- deliveries

box = os.path.join (work, "receiver")
os.mkdir (box)
receiver = subprocess.Popen ([sys.executable, os.path.join (os.path.dirname (os.path.abspath (__file__)), "../lib/receiver.py"), box])
atexit.register (receiver.kill)
until ("a receiver", lambda: os.path.exists (os.path.join (box, "port")))


def answers (answer):
    with open (os.path.join (box, "answer.new"), "w") as file:
        json.dump (answer, file)
    os.rename (os.path.join (box, "answer.new"), os.path.join (box, "answer"))


def got (document):
    try:
        lines = [json.loads (line) for line in open (os.path.join (box, "got"))]
    except FileNotFoundError:
        return []
    return [line["status"] for line in lines if json.loads (line["body"])["data"]["document"] == document]


ok ("not for this token", "role admin" in page.text ("#hooks"), page.text ("#hooks"))
page.run ("window.left = true") # until it is another document
page.click ("#leave")
page.until ("!window.left && document.readyState === 'complete' && document.getElementById ('entry')")
enter (a.token ("boss", "--role", "admin"))
seen ("not configured", "document.getElementById ('hooks').innerText.includes ('set hooks in its saker.conf')")
a.stop ()
a.configure (["hooks = hooks", "hooks-allow = 127.0.0.0/8", "hooks-lease = 3s"], ("unix", f"127.0.0.1:{a.port}"))
a.start ()
seen ("no subscription", "document.getElementById ('hooks').innerText.includes ('No program has subscribed')")
a.tool ("hooks", "add", "farm", f"http://127.0.0.1:{open (os.path.join (box, 'port')).read ()}/hook?x=1", "--collection", "shots", "--attempts", "1")
until ("it is sent by anna", lambda: json.loads (a.tool ("hooks", "show", "farm", "--json"))["sends"] == "anna")
A.put (doc ("good"), {"x": 1})
until ("delivered", lambda: got ("good") == [200])
answers ({"status": 500, "only": "<i>bad</i>"})
A.put (doc ("<i>bad</i>"), {"x": 1})
seen ("a dead letter shows", "document.querySelector ('#hooks details[open] tbody')?.innerText.includes ('<i>bad</i>')")
seen ("and the deliveries", "document.querySelectorAll ('#hooks .scroll').length === 2 && document.getElementById ('hooks').innerText.includes ('✓ delivered (200)')")
same ("no markup", page.run ("document.querySelectorAll ('#hooks i, #hooks b').length"), 0)
same ("the metrics know", re.findall (r'^saker_hook_dead_letters\{hook="farm"\} (\d)$', A.get ("/metrics").body.decode (), re.M), ["1"])
page.run ("scrollTo (0, 1e6)")
shoot ("hooks", top = False, whole = False)
answers ({"status": 200})
page.click ("#hooks .scroll button")
seen ("sent again", "document.getElementById ('hooks-said').innerText.startsWith ('1 event will be sent again to farm')")
until ("it came", lambda: got ("<i>bad</i>") == [500, 200])
seen ("no dead letter is left", "document.querySelector ('#hooks summary').innerText.includes ('0 dead letters') && document.querySelectorAll ('#hooks .scroll').length === 1")
for width in (1920, 360):
    page.size (width, 900)
    same (f"nothing sticks out at {width}", page.run ("document.documentElement.scrollWidth <= innerWidth"), True)
    page.run ("document.getElementById ('hooks').scrollIntoView ()")
    shoot (f"hooks-{width}", top = False, whole = False)
page.size (1280, 900)
expect_cuts ()

# ---- a token that may only look, and one that ends

page.run ("window.left = true") # until it is another document
page.click ("#leave")
page.until ("!window.left && document.readyState === 'complete' && document.getElementById ('entry')")
seen ("forgotten", "!document.getElementById ('entry').hidden && sessionStorage.length === 0 && document.getElementById ('conflicts').innerText === ''")
enter (reader)
seen ("a reader sees", "document.querySelectorAll ('#conflicts article').length > 0")
same ("and cannot settle", page.run ("[...document.querySelectorAll ('#conflicts button')].every (n => n.disabled)"), True)
ok ("which is told", "may only look" in page.text ("#conflicts"))
same ("so far the console is empty", page.problems, [])
a.tool ("token", "revoke", "looks")
seen ("a revoked one is out", "!document.getElementById ('entry').hidden && /no longer holds/.test (document.getElementById ('entry-problem').textContent)")
ok ("the console tells it", expect_network (401) > 0)

# ---- in the end

same ("the console is empty", page.problems, [])
urls = [request["url"] for request in page.requests]
ok ("no token in a URL", not any ("saker_" in url or writer in url or "token" in url for url in urls), urls)
ok ("nothing from elsewhere", all (url.startswith ((relay.url, "data:")) for url in urls), set (urls))
ok ("no token in the log", writer.split ("_", 2)[2] not in open (a.log).read ())
same ("it ends well", a.stop (), 0)
finish ()
