# What the tests of the gateway share: a daemon with the gateway on a free port of 127.0.0.1, a client that
# speaks HTTP over plain sockets, counting. Whatever happens, the daemon is stopped by its process id.

import atexit, json, os, re, socket, subprocess, sys, tempfile, time, urllib.parse, shutil

SAKER, SAKERD = sys.argv[1:3]
DEADLINE_S = 60
work = tempfile.mkdtemp (prefix = "saker-gateway-")
daemons = []
passed = failed = skipped = 0


def ok (what, good, detail = ""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print (f"not ok: {what}: {detail}"[:600], flush = True)
    return good


def same (what, got, wanted):
    return ok (what, got == wanted, f"{got!r}, not {wanted!r}")


def skip (what):
    global skipped
    skipped += 1
    print ("skipped: " + what, flush = True)


def until (what, condition, seconds = DEADLINE_S):
    end = time.monotonic () + seconds
    while time.monotonic () < end:
        if condition ():
            return ok (what, True)
        time.sleep (0.05)
    return ok (what, False, f"not within {seconds} s")


def finish ():
    if failed:
        for daemon in daemons:
            sys.stdout.write ("---- " + daemon.log + "\n" + "".join (open (daemon.log).readlines ()[-30:]))
    print (f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit (1 if failed or not passed else 0)


def clean_up ():
    for daemon in daemons:
        daemon.kill ()
    shutil.rmtree (work, ignore_errors = True)


atexit.register (clean_up)


class Daemon:
    """A store, and the daemon on it. `config`: lines besides gateway-listen."""

    def __init__ (self, name, config = (), listen = ("unix", "127.0.0.1:0"), ticket = None):
        self.store = os.path.join (work, name)
        self.log = os.path.join (work, name + ".log")
        self.process = None
        self.address = "tcp://127.0.0.1:0" # and from then on the one that it got, which others know
        daemons.append (self)
        if ticket:
            self.tool ("join", "-", "--as", name, stdin = ticket)
        else:
            self.tool ("init", "studio", "--as", name)
        self.configure (config, listen)

    def configure (self, config = (), listen = ("unix", "127.0.0.1:0")):
        lines = ["log-level = info"] + [f"gateway-listen = {place}" for place in listen] + list (config)
        with open (os.path.join (self.store, "saker.conf"), "w") as file:
            file.write ("\n".join (lines) + "\n")

    def tool (self, *words, stdin = None, check = True):
        done = subprocess.run ([SAKER, *words, "--store", self.store], input = stdin, capture_output = True,
                               text = True, timeout = DEADLINE_S)
        if check and done.returncode:
            raise RuntimeError (f"saker {' '.join (words)}: {done.stderr}")
        return done.stdout if check else done

    def token (self, name, *options):
        return self.tool ("token", "add", name, *options).strip ()

    def start (self, prefix = ()):
        log = open (self.log, "a")
        begin = log.tell ()
        self.process = subprocess.Popen ([*prefix, SAKERD, "--store", self.store, "--listen", self.address,
                                          "--no-beacon"], stdout = subprocess.PIPE, stderr = log, text = True)
        log.close ()
        line = self.process.stdout.readline ()
        if not line.startswith ("sakerd: ready on "):
            raise RuntimeError ("the daemon does not start: " + open (self.log).read ())
        self.address = line.split ()[-1]
        self.said = open (self.log).read ()[begin:]
        self.urls = re.findall (r"gateway: listens on (\S+)", self.said)
        self.local = os.path.join (self.store, "run/http")
        tcp = [url for url in self.urls if not url.startswith ("unix")]
        self.port = int (tcp[0].rsplit (":", 1)[1]) if tcp else None
        return self

    def stop (self):
        self.process.terminate ()
        status = self.process.wait (DEADLINE_S)
        self.process.stdout.close ()
        self.process = None
        return status

    def kill (self):
        if self.process:
            self.process.kill ()
            self.process.wait ()
            self.process = None

    def rss_kb (self):
        with open (f"/proc/{self.process.pid}/status") as file:
            return int (re.search (r"VmRSS:\s+(\d+)", file.read ())[1])


class Answer:
    def __init__ (self, status, head, body):
        self.status, self.head, self.body = status, head, body

    def __getitem__ (self, name):
        return self.head.get (name.lower ())

    @property
    def json (self):
        return json.loads (self.body)

    @property
    def detail (self):
        try:
            return self.json.get ("detail", "")
        except ValueError:
            return ""


def read_head (file):
    line = file.readline ()
    if not line:
        return None
    status = int (line.split ()[1])
    head = {}
    while (line := file.readline ()) not in (b"\r\n", b""):
        name, value = line.decode ("latin1").rstrip ("\r\n").split (":", 1)
        head[name.lower ()] = value.strip ()
    return status, head


def read_chunk (file):
    size = file.readline ()
    if not size.strip ():
        return b""
    data = file.read (int (size, 16))
    file.readline ()
    return data


def read_answer (file, method = "GET"):
    got = read_head (file)
    if got is None:
        return None
    status, head = got
    while status == 100:
        status, head = read_head (file)
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif "content-length" in head:
        body = file.read (int (head["content-length"]))
    elif head.get ("transfer-encoding") == "chunked":
        body = b""
        while chunk := read_chunk (file):
            body += chunk
    else:
        body = file.read ()
    return Answer (status, head, body)


def connect (daemon, local = False):
    if local:
        sock = socket.socket (socket.AF_UNIX)
        sock.settimeout (DEADLINE_S)
        sock.connect (daemon.local)
        return sock
    return socket.create_connection (("127.0.0.1", daemon.port), timeout = DEADLINE_S)


class Client:
    """One connection that stays, with a token."""

    def __init__ (self, daemon, token, local = False):
        self.daemon, self.token, self.local = daemon, token, local
        self.sock = None

    def close (self):
        if self.sock:
            self.file.close ()
            self.sock.close ()
            self.sock = None

    def ask (self, method, path, body = None, **headers):
        """Headers with _ for -; a body that is no bytes is sent as JSON."""
        if body is not None and not isinstance (body, (bytes, str)):
            body = json.dumps (body)
            headers.setdefault ("Content_Type", "application/json")
        body = body.encode () if isinstance (body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if self.token and "Authorization" not in headers:
            lines.append ("Authorization: Bearer " + self.token)
        if body is not None:
            lines.append (f"Content-Length: {len (body)}")
        lines += [f"{name.replace ('_', '-')}: {value}" for name, value in headers.items () if value is not None]
        data = ("\r\n".join (lines) + "\r\n\r\n").encode () + (body or b"")
        for again in (True, False):
            if not self.sock:
                self.sock = connect (self.daemon, self.local)
                self.file = self.sock.makefile ("rb")
            try:
                self.sock.sendall (data)
                answer = read_answer (self.file, method)
            except (BrokenPipeError, ConnectionResetError):
                answer = None
            if answer or not again:
                break
            self.close ()
        if answer is None or answer["Connection"] == "close":
            self.close ()
        return answer

    def get (self, path, **headers):
        return self.ask ("GET", path, **headers)

    def put (self, path, body, **headers):
        return self.ask ("PUT", path, body, **headers)

    def post (self, path, body, **headers):
        return self.ask ("POST", path, body, **headers)

    def merge (self, path, body, **headers):
        return self.ask ("PATCH", path, json.dumps (body), Content_Type = "application/merge-patch+json", **headers)

    def patch (self, path, body, **headers):
        return self.ask ("PATCH", path, json.dumps (body), Content_Type = "application/json-patch+json", **headers)

    def delete (self, path, **headers):
        return self.ask ("DELETE", path, **headers)


def raw (daemon, data, method = "GET", seconds = DEADLINE_S):
    """Sends bytes as they are; the answer, or None when the connection is closed without one."""
    sock = connect (daemon)
    sock.settimeout (seconds)
    try:
        try:
            sock.sendall (data)
        except (BrokenPipeError, ConnectionResetError):
            pass # the answer may be there all the same
        with sock.makefile ("rb") as file:
            return read_answer (file, method)
    except (ConnectionResetError, socket.timeout):
        return None
    finally:
        sock.close ()


class Stream:
    """Server-sent events."""

    def __init__ (self, daemon, token, path = "/v1/changes", **headers):
        self.sock = connect (daemon)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", "Authorization: Bearer " + token]
        lines += [f"{name.replace ('_', '-')}: {value}" for name, value in headers.items ()]
        self.sock.sendall (("\r\n".join (lines) + "\r\n\r\n").encode ())
        self.file = self.sock.makefile ("rb")
        self.status, self.head = read_head (self.file)
        self.buffer = b""
        self.last = None # id

    def next (self):
        """The next event as (event, id, data); only an id: ("", id, None). None at the end."""
        while b"\n\n" not in self.buffer:
            chunk = read_chunk (self.file)
            if not chunk:
                return None
            self.buffer += chunk
        block, self.buffer = self.buffer.split (b"\n\n", 1)
        fields = dict (line.split (": ", 1) for line in block.decode ().split ("\n"))
        self.last = fields.get ("id", self.last)
        data = fields.get ("data")
        return fields.get ("event", ""), fields.get ("id"), json.loads (data) if data else None

    def next_change (self):
        while (event := self.next ()) and event[0] == "":
            pass
        return event

    def close (self):
        self.file.close ()
        self.sock.close ()


def doc (document, collection = "shots", rest = ""):
    return f"/v1/collections/{collection}/documents/{urllib.parse.quote (document, safe = '')}{rest}"
