# openapi.json: valid by the schema of the OpenAPI Initiative, the same resources and methods as the gateway has, and
# what the gateway answers is as it says.

from gateway import *
import hashlib
import hmac

try:
    import jsonschema
except ImportError: # another Python than Debian's comes first in the path
    if sys.executable == "/usr/bin/python3":
        raise
    os.execv ("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

SCHEMA = "/usr/share/openapi-specification/schemas/v3.0/schema.json"
a = Daemon ("anna", config = ("hooks = hooks",)).start ()
c = Client (a, a.token ("tests", "--role", "admin"))
api = c.get ("/openapi.json").json


def errors (schema, value):
    return [f"{'/'.join (map (str, e.path))}: {e.message[:200]}" for e in jsonschema.validators.validator_for (schema) (schema).iter_errors (value)]


same ("valid", errors (json.load (open (SCHEMA)), api), [])
broken = json.loads (json.dumps (api))
del broken["paths"]["/live"]["get"]["responses"]
ok ("a wrong one is noticed", errors (json.load (open (SCHEMA)), broken))


def resolve (thing):
    """Follows $ref everywhere; what is not there is an error."""
    if isinstance (thing, dict):
        if "$ref" in thing:
            at = api
            for part in thing["$ref"].lstrip ("#/").split ("/"):
                at = at[part]
            used.add (thing["$ref"])
            return resolve (at)
        if thing.get ("nullable"): # which OpenAPI 3.0 has and JSON Schema has not
            return {"type": [thing["type"], "null"]}
        return {key: resolve (value) for key, value in thing.items ()}
    return [resolve (value) for value in thing] if isinstance (thing, list) else thing


used = set ()
paths = resolve (api["paths"])
unused = {f"#/components/{kind}/{name}" for kind, all in api["components"].items () if kind != "securitySchemes" for name in all} - used
same ("nothing is described in vain", unused, set ())
ids = [o["operationId"] for path in paths.values () for m, o in path.items () if m != "parameters"]
same ("each operation has its own id", len (set (ids)), len (ids))

# ---- the table of routes
source = open (os.path.join (os.path.dirname (os.path.abspath (__file__)), "../../tools/gateway/route.c")).read ()
text = source[source.index ("const route_t routes[]"):source.index ("{.method = NULL}")]
text = text.replace ("DOCUMENT", 'COLLECTION "/documents/{document}"').replace ("COLLECTION", '"/v1/collections/{collection}"').replace ('" "', "")
routes = re.findall (r'\{"([A-Z]+)",\s+"([^"]+)",\s+TOKEN_(\w+),\s+\w+,(.*?)\},?\n', text, re.S)
ok ("routes are read", len (routes) >= 17, routes)
wanted = {(m, p): (role.lower (), set (re.findall (r'"(\w+)"', rest))) for m, p, role, rest in routes}
described = {(m.upper (), p): (re.search (r"role (\w+)", o["description"])[1], {x["name"] for x in o.get ("parameters", []) if x["in"] == "query"})
             for p, methods in paths.items () for m, o in methods.items () if m != "parameters"}
same ("the same resources, methods, roles and arguments", described, wanted)
for path, methods in paths.items ():
    names = set (re.findall (r"\{(\w+)\}", path))
    same (path + ": names of its path", {p["name"] for p in methods.get ("parameters", [])}, names)
    answer = c.ask ("OPTIONS", path.format (collection = "c", document = "d", hook = "h", inbox = "i"))
    allowed = {m.upper () for m in methods if m != "parameters"} | {"OPTIONS"} | ({"HEAD"} if "get" in methods else set ())
    same (path + ": Allow", set (answer["Allow"].split (", ")), allowed)

# ---- answers
c.put (doc ("d"), {"title": "Dawn", "tags": {"$set": ["a"]}})
tag = c.get (doc ("d"))["ETag"]
cursor = c.get ("/v1/changes").json["cursor"]
c.post (doc ("d"), {"op": "increment", "pointer": "/n"})
D = "/v1/collections/{collection}/documents/{document}"
C = "/v1/collections/{collection}"
tried = set ()


def check (method, path, status, body = None, query = "", **headers):
    operation = paths[path][method]
    concrete = path.format (collection = "shots", document = "d", hook = "h", inbox = "i") + query
    answer = c.ask (method.upper (), concrete, body, **headers)
    tried.add ((method, path))
    if not same (f"{method} {concrete}", answer.status, status):
        return
    if not ok (f"{method} {path}: {status} is described", str (status) in operation["responses"]):
        return
    described = operation["responses"][str (status)]
    for name in described.get ("headers", {}):
        if name not in ("Saker-Rivals", "Idempotency-Replayed"):
            ok (f"{method} {path}: has {name}", answer[name])
    content = described.get ("content")
    if content is None:
        same (f"{method} {path}: nothing", answer.body, b"")
        return
    type = answer["Content-Type"].split (";")[0]
    if type == "text/plain":
        ok (f"{method} {path}: {type} is described", type in content)
        return
    if ok (f"{method} {path}: {type} is described", type in content):
        same (f"{method} {path}: is as described", errors (content[type]["schema"], answer.json), [])
    if body is not None and status < 300:
        sent = operation["requestBody"]["content"][headers.get ("Content_Type", "application/json")]["schema"]
        same (f"{method} {path}: the body is as described", errors (sent, json.loads (body) if isinstance (body, str) else body), [])


check ("get", "/live", 200)
check ("get", "/ready", 200)
check ("get", "/metrics", 200)
check ("get", "/v1/mesh", 200)
check ("get", "/openapi.json", 200)
check ("get", "/v1/collections", 200)
check ("get", C + "/documents", 200, query = "?limit=1")
check ("get", D, 200)
check ("get", D, 304, If_None_Match = c.get (doc ("d"))["ETag"])
check ("put", D, 200, {"title": "Dusk"})
check ("patch", D, 200, json.dumps ({"title": "Noon"}), Content_Type = "application/merge-patch+json")
check ("patch", D, 200, json.dumps ([{"op": "add", "path": "/x", "value": 1}]), Content_Type = "application/json-patch+json")
check ("post", D, 200, {"op": "increment", "pointer": "/n"})
check ("post", D, 200, {"operations": [{"op": "add", "pointer": "/s", "value": 1}]})
check ("post", C + "/batch", 200, {"operations": [{"op": "set", "document": "e", "pointer": "/x", "value": 1}], "expect": [{"document": "e", "etag": None}]})
for path in ("/v1/conflicts", C + "/conflicts", D + "/conflicts"):
    check ("get", path, 200)
check ("post", D + "/conflicts", 404, {"pointer": "/x", "take": 1})
check ("get", "/v1/changes", 200, query = "?cursor=" + cursor)
check ("get", C + "/changes", 200, query = "?cursor=" + cursor)
check ("get", "/v1/changes", 410, query = "?cursor=" + "0" * 32 + "-1")
check ("put", D, 412, {}, If_Match = tag)
check ("put", D, 415, "{}", Content_Type = "text/plain")
check ("put", D, 400, {"a": [1]})
check ("post", D, 409, {"op": "increment", "pointer": "/title"})
check ("delete", D, 200)
check ("get", D, 404)
check ("put", D, 201, {"x": 1})
a.tool ("hooks", "add", "h", "http://127.0.0.1:1/", "--collection", "shots", "--attempts", "1")
check ("get", "/v1/hooks", 200)
check ("get", "/v1/hooks/{hook}", 200)
check ("post", "/v1/hooks/{hook}/state", 200, {"state": "paused"})
check ("post", "/v1/hooks/{hook}/state", 200, {"state": "active"})
check ("post", "/v1/hooks/{hook}/state", 400, {"state": "gone"})
c.put (doc ("d"), {"x": 2})
until ("an event is dead", lambda: c.get ("/v1/hooks/h/dead").json["dead"])
check ("get", "/v1/hooks/{hook}/dead", 200)
check ("get", "/v1/hooks/{hook}/deliveries", 200, query = "?limit=1")
check ("post", "/v1/hooks/{hook}/replay", 202, {"event": c.get ("/v1/hooks/h/dead").json["dead"][0]["event"]})
check ("post", "/v1/hooks/{hook}/replay", 202, {"since": 0})
check ("post", "/v1/hooks/{hook}/replay", 404, {"event": "0" * 32})
template = os.path.join (a.store, "template.json")
with open (template, "w") as file:
    file.write ('{"title": "{/title}"}')
secret = a.tool ("inbox", "add", "i", "--scheme", "hmac", "--collection", "reviews", "--template", template).strip ()
text = json.dumps ({"title": "Fix"})
signed = {"X_Hub_Signature_256": "sha256=" + hmac.new (secret.encode (), text.encode (), hashlib.sha256).hexdigest (), "X_GitHub_Delivery": "1"}
check ("post", "/v1/inbox/{inbox}", 201, text, **signed)
check ("post", "/v1/inbox/{inbox}", 200, text, **signed)
check ("post", "/v1/inbox/{inbox}", 401, text + " ", **signed)
readers = Client (a, a.token ("readers", "--role", "write"))
same ("secrets of webhooks are for admins", readers.get (doc ("hook%2Fh", "hooks")).status, 403)
same ("and so are subscriptions", readers.get ("/v1/hooks").status, 403)
check ("get", D, 401, Authorization = "Bearer x")
check ("get", D, 403, Origin = "https://evil.example")
same ("every operation was tried", tried, {(m, p) for p, methods in paths.items () for m in methods if m != "parameters"})
finish ()
