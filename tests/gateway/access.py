# Who may come in: tokens with their roles and collections, and a table of hostile requests, each with the status
# that it gets. `None`: the connection is closed without an answer.

from gateway import *
import stat

a = Daemon ("anna", ["gateway-host = saker.studio.example", "gateway-origin = https://tools.studio.example"]).start ()
token = a.token ("tests", "--role", "write")
reader = a.token ("reader")
shots = a.token ("shots", "--role", "write", "--collection", "shots", "--collection", "notes")
short = a.token ("short", "--role", "admin", "--expires", "1s")
c, r, s = Client (a, token), Client (a, reader), Client (a, shots)

# ---- tokens
file = os.path.join (a.store, "gateway.tokens")
same ("the file is private", stat.S_IMODE (os.stat (file).st_mode), 0o600)
kept = open (file).read ()
ok ("holds no token", all (t.split ("_", 2)[2] not in kept for t in (token, reader, shots)))
ok ("a token is long", re.fullmatch (r"saker_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", token), token)
listed = [json.loads (line) for line in a.tool ("token", "list", "--json").splitlines ()]
same ("listed", [(t["name"], t["role"], t["collections"]) for t in listed],
      [("tests", "write", []), ("reader", "read", []), ("shots", "write", ["shots", "notes"]), ("short", "admin", [])])
ok ("without hashes and tokens", all (set (t) == {"name", "id", "role", "collections", "made", "expires"} for t in listed))
made = json.loads (a.tool ("token", "add", "json", "--role", "read", "--json"))
same ("made as JSON", Client (a, made["token"]).get ("/v1/collections").status, 200)
done = a.tool ("token", "add", "tests", check = False)
same ("a name twice", (done.returncode, done.stdout), (4, ""))
done = a.tool ("token", "add", "x", "--role", "king", check = False)
same ("a wrong role", (done.returncode, done.stdout), (2, ""))
for words in (["x", "--collection", b"a\xff"], ["x", "--collection", "a\nb"], ["x", "--collection", ""], [b"\xff"], ["a\tb"], [""], ["x" * 65], ["x", "--expires", "soon"]):
    done = subprocess.run ([SAKER, "token", "add", *words, "--store", a.store], capture_output = True)
    same (f"token add {words}", (done.returncode, done.stdout), (2, b""))
same ("none of these was made", len (a.tool ("token", "list", "--json").splitlines ()), 5)
same ("revoke of none", a.tool ("token", "revoke", "none", check = False).returncode, 3)
done = subprocess.run ([SAKER, "token", "add", "x", "--store", os.path.join (work, "none")], capture_output = True)
same ("no store", done.returncode, 3)

same ("write", c.put (doc ("d"), {"x": 1}).status, 201)
same ("write elsewhere", c.put (doc ("d", "secret"), {"x": 1}).status, 201)
same ("read", r.get (doc ("d")).status, 200)
for method, path, body in (("PUT", doc ("d"), {}), ("PATCH", doc ("d"), {}), ("DELETE", doc ("d"), None), ("POST", doc ("d"), {}),
                           ("POST", "/v1/collections/shots/batch", {}), ("POST", doc ("d", rest = "/conflicts"), {})):
    answer = r.ask (method, path, body)
    same (f"a reader's {method} {path}", (answer.status, "role write" in answer.detail), (403, True))
same ("its collection", s.get (doc ("d")).status, 200)
for method, path in (("GET", doc ("d", "secret")), ("PUT", doc ("d", "secret")), ("GET", "/v1/collections/secret/documents"),
                     ("GET", "/v1/collections/secret/changes"), ("GET", "/v1/collections/secret/conflicts"), ("GET", doc ("d", "SHOTS"))):
    answer = s.ask (method, path, {} if method == "PUT" else None)
    same (f"another collection: {method} {path}", (answer.status, "not for the collection" in answer.detail), (403, True))
same ("lists its own", [n["name"] for n in s.get ("/v1/collections").json["collections"]], ["shots"])
same ("all of them", [n["name"] for n in c.get ("/v1/collections").json["collections"]], ["secret", "shots"])
start = c.get ("/v1/changes").json["cursor"]
c.put (doc ("d", "secret"), {"x": 2})
c.put (doc ("d"), {"x": 2})
same ("sees its own changes", [n["collection"] for n in s.get ("/v1/changes?cursor=" + start).json["changes"]], ["shots"])
until ("a token ends", lambda: Client (a, short).get ("/ready").status == 401, 10)
listening = Stream (a, shots)
listening.next ()
a.tool ("token", "revoke", "shots")
answer = s.get (doc ("d"))
same ("revoked", (answer.status, answer["WWW-Authenticate"]), (401, 'Bearer realm="saker", error="invalid_token"'))
same ("its stream ends", listening.next (), None)
os.chmod (file, 0o644)
same ("a file that others can read lets nobody in", c.get ("/ready").status, 401)
os.chmod (file, 0o600)
same ("private again", c.get ("/ready").status, 200)
before = open (file).read ()
open (file, "w").write ("nonsense")
same ("a damaged file lets nobody in", c.get ("/ready").status, 401)
same ("and is named", a.tool ("token", "list", check = False).returncode != 0, True)
open (file, "w").write (before.replace ('"collections":[]', '"collections":null'))
same ("a token without its collections lets nobody in", c.get ("/ready").status, 401)
open (file, "w").write (before)
same ("whole again", c.get ("/ready").status, 200)
ok ("no token in the log", all (t.split ("_", 2)[2] not in open (a.log).read () for t in (token, reader, shots)))

# ---- web pages
pages = "https://tools.studio.example"
answer = c.get (doc ("d"), Origin = pages)
same ("a configured origin", (answer.status, answer["Access-Control-Allow-Origin"]), (200, pages))
answer = Client (a, None).ask ("OPTIONS", doc ("d"), Origin = pages, Access_Control_Request_Method = "PUT")
same ("its preflight", (answer.status, answer["Access-Control-Allow-Origin"], "PUT" in answer["Access-Control-Allow-Methods"]), (204, pages, True))
answer = Client (a, None).ask ("OPTIONS", doc ("d"), Origin = "https://evil.example", Access_Control_Request_Method = "PUT")
same ("another's preflight", (answer.status, answer["Access-Control-Allow-Origin"]), (403, None))
same ("no CORS by default", c.get (doc ("d"))["Access-Control-Allow-Origin"], None)
answer = c.get (doc ("d"), Origin = "http://localhost")
same ("its own page", (answer.status, answer["Access-Control-Allow-Origin"]), (200, None))

# ---- hostile requests
T = "Authorization: Bearer " + token
H = "Host: localhost"


def head (line, *headers, body = ""):
    return "\r\n".join ([line, *headers]) + "\r\n\r\n" + body


def get (path = doc ("d"), *headers):
    return head (f"GET {path} HTTP/1.1", H, T, *headers)


def send (method, body, *headers, path = doc ("t"), type = "application/json"):
    return head (f"{method} {path} HTTP/1.1", H, T, f"Content-Type: {type}", f"Content-Length: {len (body.encode ())}", *headers, body = body)


merge = lambda body: send ("PATCH", body, type = "application/merge-patch+json")
patch = lambda *ops: send ("PATCH", json.dumps (ops), path = doc ("d"), type = "application/json-patch+json")
post = lambda body, path = doc ("d"): send ("POST", body if isinstance (body, str) else json.dumps (body), path = path)
batch = lambda body: post (body, "/v1/collections/shots/batch")
settle = lambda body: post (body, doc ("d", rest = "/conflicts"))
chunked = lambda body, *headers: head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Transfer-Encoding: chunked", *headers, body = body)
cursor = "0" * 32 + "-"

table = []
def add (status, *requests): table.extend ((status, request) for request in requests)

# the request line, and its form
add ({400, None}, "GET / HTTP/1.1 x\r\n\r\n", "GET\r\n\r\n", "\x01\x02\x03\r\n\r\n", head ("GET  HTTP/1.1", H, T))
add ({505, 400, None}, head ("GET /live HTTP/2.0", H, T), head ("GET /live HTTP/3", H, T), head ("GET /live HTCPCP/1.0", H, T), head ("GET /live FTP/1.1", H, T))
add ({400, 505, None}, head ("GET /live", H, T), head ("GET /live HTTP/0.9", H, T), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
add ({404}, get ("/nothing"), get ("/v1"), get ("/v1/"), get ("/v2/collections"), get ("//live"), get ("/live/"), get ("/LIVE"), get ("/live/x"),
     get ("/v1/collections/"), get ("/v1/collections/shots"), get ("/v1/collections/shots/documents/d/conflicts/x"), get ("/../live"), get ("/./live"),
     get ("/v1/../live"), get ("/v1/collections/../../live"), get ("/%2e%2e/gateway.tokens"), get ("/gateway.tokens"), get ("/device.key"), get ("/run/api"),
     get ("/etc/passwd"), get ("/v1/collections/shots/../../../gateway.tokens"), get ("/live%00"), get ("/live%2f"), get ("/v1%2fcollections"), get ("/live;x=1"),
     get ("/admin"), get ("/.git/config"), get ("/cgi-bin/test"), get ("/index.php"), get ("http://evil.example/live"), get ("*"), get ("live"))
add ({400}, get ("/v1/collections//documents"), get ("/v1/collections/shots/documents/"), get (doc ("d") + "%"), get (doc ("d") + "%2"), get (doc ("d") + "%zz"),
     get (doc ("d") + "%00"), get (doc ("d") + "%ff"), get (doc ("d") + "%c3%28"), get (doc ("d") + "%ed%a0%80"), get (doc ("d") + "%c0%af"), get (doc ("d") + "%f8%88%80%80%80"),
     get ("/v1/collections/%ff/documents"), get ("/v1/collections/a%00b/documents"), get (doc ("x" * 256)), get ("/v1/collections/" + "x" * 65 + "/documents"),
     get ("/v1/collections/shots/documents/" + "%41" * 300))
add ({414, 431, 400}, get ("/" + "x" * 20000), get (doc ("d") + "?pointer=/" + "x" * 20000), get ("/v1/collections/" + "y" * 60000))
add ({431, 413, 400}, get (doc ("d"), "X: " + "y" * 20000), get (doc ("d"), *(f"X-{i}: {'z' * 100}" for i in range (300))), get (doc ("d"), "Cookie: " + "c=1; " * 5000),
     head (f"GET {doc ('d')} HTTP/1.1", H, "Authorization: Bearer " + "t" * 20000))
# methods
add ({405}, *(head (f"{method} {doc ('d')} HTTP/1.1", H, T) for method in ("TRACE", "CONNECT", "FOO", "get", "PROPFIND", "MKCOL", "LINK", "PURGE", "QUERY")),
     *(head (f"{method} /live HTTP/1.1", H, T, "Content-Length: 0") for method in ("PUT", "POST", "PATCH", "DELETE")),
     *(head (f"{method} /v1/collections HTTP/1.1", H, T, "Content-Length: 0") for method in ("PUT", "POST", "PATCH", "DELETE")),
     head ("GET /v1/collections/shots/batch HTTP/1.1", H, T), head ("DELETE /v1/changes HTTP/1.1", H, T), head ("PUT /openapi.json HTTP/1.1", H, T, "Content-Length: 0"))
# whose name is it: rebinding
add ({421}, *(head ("GET /live HTTP/1.1", "Host: " + name, T) for name in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost",
     "127.0.0.2", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "localhost.", "saker.studio.example.evil.example", "studio.example", "169.254.169.254", "LOCALHOST1")))
add ({400}, head ("GET /live HTTP/1.1", T), head ("GET /live HTTP/1.0", T), head ("GET /live HTTP/1.1", "Host:", T), head ("GET /live HTTP/1.1", "Host: :80", T),
     head ("GET /live HTTP/1.1", "Host: localhost:x", T), head ("GET /live HTTP/1.1", "Host: localhost:123456", T), head ("GET /live HTTP/1.1", "Host: [::1", T),
     head ("GET /live HTTP/1.1", H, H, T), head ("GET /live HTTP/1.1", H, "Host: evil.example", T), head ("GET /live HTTP/1.1", "Host: localhost@evil.example:80:80", T))
add ({400, 421}, head ("GET /live HTTP/1.1", "Host: localhost@evil.example", T), head ("GET /live HTTP/1.1", "Host: localhost evil.example", T),
     head ("GET /live HTTP/1.1", "Host: localhost,evil.example", T), head ("GET /live HTTP/1.1", "Host: localhost/evil", T))
# which page sent it: forgery
add ({403}, *(get (doc ("d"), "Origin: " + origin) for origin in ("https://evil.example", "http://evil.example", "null", "file://", "https://localhost", "http://localhost.evil.example",
     "http://tools.studio.example", "https://tools.studio.example.evil.example", "https://tools.studio.example:444", "HTTPS://TOOLS.STUDIO.EXAMPLE", "http://localhost:1", "chrome-extension://x",
     "https://tools.studio.example, https://evil.example", "http://saker.studio.example")),
     get (doc ("d"), "Sec-Fetch-Site: cross-site"), get (doc ("d"), "Sec-Fetch-Site: same-site"), get (doc ("d"), "Sec-Fetch-Site: nonsense"),
     send ("PUT", "{}", "Origin: https://evil.example"), send ("POST", "{}", "Origin: null", path = doc ("d")), head (f"DELETE {doc ('d')} HTTP/1.1", H, T, "Origin: https://evil.example"),
     head (f"OPTIONS {doc ('d')} HTTP/1.1", H, "Origin: https://evil.example", "Access-Control-Request-Method: PUT"))
add ({400}, get (doc ("d"), "Origin: https://tools.studio.example", "Origin: https://evil.example"))
add ({401}, head (f"OPTIONS {doc ('d')} HTTP/1.1", H), head (f"OPTIONS {doc ('d')} HTTP/1.1", H, "Access-Control-Request-Method: PUT"))
# tokens
add ({401}, *(head ("GET /ready HTTP/1.1", H, *(["Authorization: " + text] if text is not None else [])) for text in (None, "", "Bearer", "Bearer ", "Bearer x", "Basic " + "YTpi",
     "bearer", "Bearer  " + token, "Token " + token, token, "Bearer " + token[:-1], "Bearer " + token + "x", "Bearer " + token.upper (), "Bearer " + token.replace ("saker_", "saker-"),
     "Bearer saker_" + "0" * 16 + "_" + "A" * 43, "Bearer " + token.rsplit ("_", 1)[0] + "_", "Bearer " + token + " " + token, "Bearer null", "Bearer undefined", "Digest x", "Bearer " + "A" * 500,
     "Bearer " + token + "," + token)), head (f"GET /ready?token={token} HTTP/1.1", H), head (f"GET /ready?access_token={token} HTTP/1.1", H), head ("GET /ready HTTP/1.1", H, "Cookie: token=" + token),
     head ("GET /nothing HTTP/1.1", H), head ("GET /openapi.json HTTP/1.1", H), head (f"PUT {doc ('d')} HTTP/1.1", H, "Content-Length: 2", body = "{}"), head ("GET /ready HTTP/1.1", H, "X-Authorization: Bearer " + token))
add ({400}, head ("GET /live HTTP/1.1", H, T, T), head ("GET /live HTTP/1.1", H, T, "Authorization: Bearer x"))
# two meanings of one request: smuggling
add ({400, 413, 501, None}, head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Content-Length: 2", "Transfer-Encoding: chunked", body = "2\r\n{}\r\n0\r\n\r\n"),
     head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Content-Length: 2", "Content-Length: 3", body = "{}}"),
     head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Content-Length: 2, 2", body = "{}"),
     *(head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Content-Length: " + n, body = "{}") for n in ("-1", "+2", "0x2", "2x", "two", "99999999999999999999999", "2.0", "")),
     *(head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Transfer-Encoding: " + coding, body = "0\r\n\r\n") for coding in ("gzip", "identity", "chunked, chunked", "xchunked", "chunked;q=1", "gzip, chunked")),
     *(chunked (body) for body in ("x\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "2\r\n{}}}0\r\n\r\n", "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", "2 2\r\n{}\r\n0\r\n\r\n")))
add ({200, 400, 401, None}, head ("GET /live HTTP/1.1", H, T, "X : y"), head ("GET /live HTTP/1.1", H, T, " folded"), head ("GET /live HTTP/1.1", H, T, "no colon"), head ("GET /live HTTP/1.1", H, T, ": empty"),
     head ("GET /live HTTP/1.1", H, T, "X: a\x00b"), head ("GET /live HTTP/1.1", H, T, "X: a\rb"))
# arguments
add ({400}, *(get (doc ("d") + query) for query in ("?x=1", "?pointer=x", "?pointer=/a&pointer=/b", "?view=nonsense", "?view=", "?pointer=%", "?pointer=%ff", "?pointer=%00", "?Pointer=/a", "?pointer=/~2", "?=1", "?view=full&view=full")),
     *(get ("/v1/collections/shots/documents" + query) for query in ("?limit=0", "?limit=-1", "?limit=x", "?limit=10001", "?limit=1e3", "?limit=99999999999999999999", "?limit=", "?from=%ff")),
     *(get ("/v1/changes" + query) for query in ("?cursor=x", "?cursor=", "?cursor=1", "?cursor=" + cursor, "?cursor=" + cursor + "-1", "?cursor=" + cursor + "1x", "?cursor=" + cursor + "99999999999999999999999", "?cursor=" + "z" * 32 + "-1", "?wait=61", "?wait=-1", "?wait=x", "?limit=0", "?limit=1001")),
     get ("/v1/changes", "Last-Event-ID: nonsense"), get ("/v1/changes", "Last-Event-ID: nonsense", "Accept: text/event-stream"))
add ({410}, get ("/v1/changes?cursor=" + cursor + "0"), get ("/v1/changes?cursor=" + cursor + "5&wait=5"))
# bodies
add ({400}, *(send ("PUT", body) for body in ("", "{", "}", "nonsense", "{'a': 1}", '{"a": 1,}', '{"a": 1} x', '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', '{"a": 99999999999999999999}', '{"a": [1]}', "[]", "1", "null", '"x"', "true",
     '{"a": {"$set": 1}}', '{"a": {"$set": [{}]}}', '{"a": {"$counter": "x"}}', '{"a": {"$counter": 1.5}}', '{"a": {"$bytes": "!"}}', '{"a": {"$bytes": 1}}', '{"a": "\\ud800"}', "\ufeff{}", '{"a":1}\x00', "{" * 3000, "[" * 3000)))
add ({413}, get (doc ("d", rest = "?pointer=/" + "x/" * 40)), send ("PUT", json.dumps ({"k" * 2000: 1})), send ("PUT", json.dumps ({"a": "x" * 70000})), send ("PUT", json.dumps ({f"k{i}": i for i in range (2000)})), send ("PUT", '{"a":' * 50 + "1" + "}" * 50),
     send ("PUT", '"' + "x" * (1 << 20) + '"'), head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Type: application/json", "Content-Length: 1000000000000"), chunked ("100001\r\n" + "x" * 0x100001 + "\r\n0\r\n\r\n"))
add ({415}, *(send ("PUT", "{}", type = type) for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html", "application/xml", "application/cbor", "application/jsonx", "*/*", "", "application/merge-patch+json")),
     *(send ("PATCH", "{}", type = type) for type in ("application/json", "text/plain", "application/patch+json", "")), *(send ("POST", "{}", path = doc ("d"), type = type) for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")),
     send ("POST", "{}", path = "/v1/collections/shots/batch", type = "text/plain"), send ("POST", "{}", path = doc ("d", rest = "/conflicts"), type = "text/plain"), send ("PUT", "{}", "Content-Encoding: gzip"), head (f"PUT {doc ('t')} HTTP/1.1", H, T, "Content-Length: 2", body = "{}"))
add ({400}, merge ("{"), merge ("[1]"), merge ("1"), merge ('"x"'), merge ("null"), merge ('{"a": [1]}'))
add ({400}, patch ({}), patch ({"op": "nonsense", "path": "/x"}), patch ({"op": "add", "path": "/x"}), patch ({"op": "add", "path": "x", "value": 1}), patch ({"op": "add", "value": 1}), patch ({"op": "move", "path": "/x"}), patch ({"op": "copy", "path": "/x"}), patch (1), patch ("x"), patch (None),
     patch ({"op": "add", "path": "/~2", "value": 1}), patch ({"op": "add", "path": "", "value": 1}), patch ({"op": "move", "from": "/x", "path": "/x/y"}), send ("PATCH", "{}", path = doc ("d"), type = "application/json-patch+json"), send ("PATCH", "1", path = doc ("d"), type = "application/json-patch+json"))
add ({404}, patch ({"op": "remove", "path": "/none"}), patch ({"op": "replace", "path": "/none", "value": 1}), patch ({"op": "copy", "from": "/none", "path": "/y"}), patch ({"op": "add", "path": "/none/x", "value": 1}), patch ({"op": "add", "path": "/x/y", "value": 1}),
     send ("PATCH", "[]", path = doc ("none"), type = "application/json-patch+json"), head (f"DELETE {doc ('none')} HTTP/1.1", H, T), get (doc ("none")), get (doc ("d", "nowhere")))
add ({409}, patch ({"op": "test", "path": "/x", "value": "other"}), patch ({"op": "test", "path": "/none", "value": 1}), post ({"op": "increment", "pointer": "/x"}), post ({"op": "add", "pointer": "/x", "value": 1}))
add ({413}, patch (*[{"op": "test", "path": "", "value": {}}] * 1025), patch ({"op": "add", "path": "/c", "value": {"a": 1}}, *[{"op": "copy", "from": "/c", "path": f"/c/{i}"} for i in range (40)]))
add ({400}, post ("[]"), post ("1"), post ({}), post ({"op": "nonsense"}), post ({"op": 1}), post ({"op": "set", "pointer": "/x"}), post ({"op": "set", "pointer": "x", "value": 1}), post ({"op": "set", "pointer": 1, "value": 1}), post ({"op": "increment", "pointer": "/n", "by": "x"}),
     post ({"op": "increment", "pointer": "/n", "by": 1.5}), post ({"op": "increment", "pointer": "/n", "value": 1}), post ({"op": "add", "pointer": "/s", "value": {}}), post ({"op": "add", "pointer": "/s", "value": [1]}), post ({"op": "set", "pointer": "/x", "value": 1, "extra": 1}), post ({"op": "set", "document": "e", "pointer": "/x", "value": 1}),
     post ({"operations": []}), post ({"operations": {}}), post ({"operations": [1]}), post ({"operations": [None]}), post ({"operations": "x"}))
add ({400}, batch ({}), batch ([]), batch ({"operations": [{"op": "delete"}]}), batch ({"operations": [{"op": "delete", "document": ""}]}), batch ({"operations": [{"op": "delete", "document": 1}]}), batch ({"operations": [{"op": "delete", "document": "a\u0000b"}]}),
     batch ({"operations": [{"op": "set", "document": "d", "pointer": "/a", "value": 1}], "expect": {}}), batch ({"operations": [{"op": "set", "document": "d", "pointer": "/a", "value": 1}], "expect": [{"document": "d"}]}), batch ({"operations": [{"op": "set", "document": "d", "pointer": "/a", "value": 1}], "expect": [{"document": "d", "etag": "x"}]}),
     batch ({"operations": [{"op": "set", "document": "d", "pointer": "/a", "value": 1}], "expect": [{"document": "d", "etag": 5}]}))
add ({413}, batch ({"operations": [{"op": "delete", "document": "x" * 256}]}), batch ({"operations": [{"op": "increment", "document": "d", "pointer": f"/n{i}"} for i in range (1025)]}))
add ({400}, settle ({}), settle ([]), settle ({"pointer": "/x"}), settle ({"pointer": "/x", "take": 0}), settle ({"pointer": "/x", "take": "1"}), settle ({"pointer": "/x", "take": 1, "value": 1}), settle ({"take": 1}), settle ({"pointer": 1, "take": 1}), settle ({"pointer": "/x", "take": 1, "extra": 1}))
add ({404}, settle ({"pointer": "/x", "take": 1}), settle ({"pointer": "/x", "value": 1}))
deep = lambda n, left = '{"a":', right = "}": left * n + "1" + right * n
add ({400, 404, 413}, *(way (deep (n, *kind)) for way in (lambda b: send ("PUT", b), merge, lambda b: send ("PATCH", '[{"op":"add","path":"/q","value":' + b + '},{"op":"copy","from":"/q","path":"/r"},{"op":"test","path":"/q","value":' + b + "}]", path = doc ("d"), type = "application/json-patch+json"),
     lambda b: post ('{"op":"set","pointer":"/q","value":' + b + "}"), lambda b: settle ('{"pointer":"/q","value":' + b + "}"), lambda b: batch ('{"operations":[{"op":"set","document":"q","value":' + b + "}]}"))
     for n in (40, 2000, 2047, 2100, 100000) for kind in (('{"a":', "}"), ("[", "]"))))
# preconditions and keys
add ({412}, *(send ("PUT", "{}", "If-Match: " + tag, path = doc ("d")) for tag in ("x", '"x"', "W/*", '""', '"' + "0" * 32 + '"', '"' + "f" * 33 + '"', ",", '"' + "0" * 32, "W/\"" + "0" * 32 + '"')), send ("PUT", "{}", "If-None-Match: *", path = doc ("d")))
add ({400}, send ("PUT", "{}", "If-Match: *", "If-Match: *"), send ("PUT", "{}", "Idempotency-Key:"), send ("PUT", "{}", "Idempotency-Key: " + "k" * 256), send ("PUT", "{}", "Idempotency-Key: a", "Idempotency-Key: b"))

ok ("at least 200 hostile requests", len (table) >= 200, len (table))
before = c.get (doc ("d")).body
for statuses, request in table:
    data = request.encode ("latin1") if "\u0100" > max (request) else request.encode ()
    answer = raw (a, data, request.split (" ")[0], 3)
    status = answer.status if answer else None
    what = repr (request[:160])
    if not ok (what, status in statuses, f"{status}, not {statuses}; {answer.body[:200] if answer else ''}"):
        continue
    if answer and status >= 400 and answer.head.get ("content-type", "").startswith ("application/problem+json") and not request.startswith ("HEAD"):
        ok (what + ": a sentence", len (answer.detail) > 10 and answer.json["status"] == status, answer.body)
same ("none of them did anything", c.get (doc ("d")).body, before)
same ("nor made anything", c.get ("/v1/collections/shots/documents").json["documents"], ["d"])
same ("the daemon is well", (c.get ("/ready").status, a.process.poll ()), (200, None))
print (f"{len (table)} hostile requests")

ok ("nothing of it is in the log", " debug:" not in open (a.log).read ())

# ---- where it listens
a.stop ()
for lines, words in ((["gateway-listen = 0.0.0.0:0"], "gateway-tls-cert"), (["gateway-listen = nonsense"], "127.0.0.1:8677"), (["gateway-listen = 127.0.0.1:99999"], "no place to listen"),
                     (["gateway-host = a b"], "gateway-host"), (["gateway-host = localhost:80"], "without the port"), (["gateway-origin = x"], "gateway-origin"), (["gateway-tls-cert = x"], "gateway-tls-cert"), (["gateway-connections = 0"], "gateway-connections"),
                     (["gateway-listen = unix", "gateway-tls-cert = /x"], "go together"), (["gateway-lisen = unix"], "did you mean 'gateway-listen'")):
    a.configure (lines, ())
    done = subprocess.run ([SAKERD, "--store", a.store, "--listen", "tcp://127.0.0.1:0", "--no-beacon"], capture_output = True, text = True, timeout = DEADLINE_S)
    ok (lines[-1], done.returncode and words in done.stderr, done.stderr)
    checked = subprocess.run ([SAKERD, "--store", a.store, "--check-config"], capture_output = True, text = True, timeout = DEADLINE_S)
    ok (lines[-1] + ": checked", checked.returncode and words in checked.stderr, checked.stderr)
key, cert = os.path.join (work, "key.pem"), os.path.join (work, "cert.pem")
subprocess.run (["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                 "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], check = True, capture_output = True)
a.configure ([f"gateway-tls-cert = {cert}", f"gateway-tls-key = {key}"], ("0.0.0.0:0", "127.0.0.1:0"))
a.start ()
import ssl
context = ssl.create_default_context (cafile = cert)
for url in a.urls:
    ok (url + " is https", url.startswith ("https://"))
    with context.wrap_socket (socket.create_connection (("127.0.0.1", int (url.rsplit (":", 1)[1]))), server_hostname = "localhost") as tls:
        tls.sendall (f"GET {doc ('d')} HTTP/1.1\r\nHost: localhost\r\n{T}\r\n\r\n".encode ())
        same (url + " with TLS", read_answer (tls.makefile ("rb")).status, 200)
    same (url + " without", getattr (raw (a, get ().encode (), seconds = 5), "status", None), None)
a.stop ()
a.configure ([f"gateway-tls-cert = {key}", f"gateway-tls-key = {cert}"], ("127.0.0.1:0",))
done = subprocess.run ([SAKERD, "--store", a.store, "--listen", "tcp://127.0.0.1:0", "--no-beacon"], capture_output = True, text = True, timeout = DEADLINE_S)
ok ("a wrong certificate is told", done.returncode and "PEM" in done.stderr, done.stderr)
a.configure (listen = ())
a.start ()
same ("off unless configured", (a.urls, os.path.exists (a.local) and bool (a.said.count ("gateway"))), ([], False))
finish ()
