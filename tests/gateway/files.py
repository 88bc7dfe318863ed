# The files of the page: types, policy, ETag; without a token, and nothing else without one.

from gateway import *

a = Daemon ("anna").start ()
nobody = Client (a, None)
types = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
here = os.path.join (os.path.dirname (os.path.abspath (__file__)), "../../tools/gateway/page")
html = open (os.path.join (here, "index.html"), "rb").read ().decode ()

for name in sorted (os.listdir (here)):
    path = "/" if name == "index.html" else "/page/" + name
    answer = nobody.get (path)
    same (path, (answer.status, answer["Content-Type"]), (200, types[name.rsplit (".", 1)[1]]))
    same (path + ": as in the tree", answer.body, open (os.path.join (here, name), "rb").read ())
    policy = dict (rule.split (" ", 1) for rule in answer["Content-Security-Policy"].split ("; "))
    same (path + ": its policy", policy, {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "'self' data:",
        "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'",
        "trusted-types": "'none'"})
    same (path + ": other headers", [answer[n] for n in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control")],
          ["nosniff", "no-referrer", "no-cache"])
    ok (path + ": a strong ETag", re.fullmatch (r'"[0-9a-f]{24}"', answer["ETag"]), answer["ETag"])
    again = nobody.get (path, If_None_Match = answer["ETag"])
    same (path + ": known", (again.status, again.body, again["ETag"]), (304, b"", answer["ETag"]))
    same (path + ": another", nobody.get (path, If_None_Match = '"x"').status, 200)
    head = nobody.ask ("HEAD", path)
    same (path + ": HEAD", (head.status, int (head["Content-Length"])), (200, len (answer.body)))
    same (path + ": by a link of another site", nobody.get (path, Sec_Fetch_Site = "cross-site").status, 200)
    same (path + ": by another's script", nobody.get (path, Origin = "https://evil.example").status, 403)
    same (path + ": with a second Host", nobody.get (path, Host = "evil.example").status, 400)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        same (f"{method} {path}", nobody.ask (method, path).status, 401)

text = "".join (open (os.path.join (here, name)).read () for name in os.listdir (here))
same ("nothing from elsewhere", [u for u in re.findall (r"https?://[^\s'\"`]+", text) if u not in ("http://www.w3.org/2000/svg",)], [])
same ("nothing that parses text as markup", re.findall (r"innerHTML|insertAdjacentHTML|document\.write|eval|DOMParser|srcdoc|localStorage|cookie", text), [])
ok ("no style or script in the markup", not re.search (r" style=| on[a-z]+=|<style|<script(?! type=\"module\" src=)", html))
for path in ("/page", "/page/", "/page/index.html", "/page/../page/app.js", "/page/app.js/", "/page/%61pp.js", "/index.html", "//", "/page/openapi.json"):
    same (path + ": 401 without a token", nobody.get (path).status, 401)
same ("an argument", nobody.get ("/?token=x").status, 400)
same ("it ends well", a.stop (), 0)
finish ()
