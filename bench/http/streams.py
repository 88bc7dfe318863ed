# streams.py URL COUNT FILE: opens event streams on a collection where nothing happens, says so in FILE; when FILE.go is
# there, writes to that collection and says how long it took until each stream had it.

import http.client, os, resource, selectors, socket, sys, time

url, count, file = sys.argv[1], int (sys.argv[2]), sys.argv[3]
host, port = url.split ("//")[1].split (":")
token = os.environ["SAKER_TOKEN"]
hard = resource.getrlimit (resource.RLIMIT_NOFILE)[1]
if hard != resource.RLIM_INFINITY and hard < count + 100:
    sys.exit (f"streams.py: {hard} files may be open, {count + 100} are needed: raise ulimit -n")
resource.setrlimit (resource.RLIMIT_NOFILE, (count + 100, hard))
ask = (f"GET /v1/collections/quiet/changes HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
       "Accept: text/event-stream\r\n\r\n").encode ()
selector = selectors.DefaultSelector ()
got = []


def wait (mark):
    """Until each has it."""
    left = {i for i in range (count) if mark not in got[i]}
    while left:
        for key, _ in selector.select (60):
            data = key.fileobj.recv (65536)
            if not data:
                sys.exit ("streams.py: a stream was closed")
            got[key.data] += data
            if mark in got[key.data]:
                left.discard (key.data)


begin = time.monotonic ()
for i in range (count):
    stream = socket.create_connection ((host, int (port)))
    stream.sendall (ask)
    stream.setblocking (False)
    selector.register (stream, selectors.EVENT_READ, i)
    got.append (b"")
wait (b"id: ")
with open (file, "w") as out:
    print (f"{count} event streams, opened in {time.monotonic () - begin:.1f} s", file = out)
while not os.path.exists (file + ".go"):
    time.sleep (0.1)
begin = time.monotonic ()
client = http.client.HTTPConnection (host, int (port))
client.request ("PUT", "/v1/collections/quiet/documents/d", b'{"x":1}', {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
assert client.getresponse ().status == 201
wait (b"event: change")
with open (file, "a") as out:
    print (f"one event reached all {count} of them within {time.monotonic () - begin:.2f} s", file = out)
