"""A receiver of webhooks for the tests, at a free port. Usage: receiver.py FOLDER [ADDRESS [CERTIFICATE KEY]]

Its port is in FOLDER/port once it listens. Each request is a line of JSON in FOLDER/got, written before the
answer. What it answers is read from FOLDER/answer before each: JSON as {"status": 200, "stall": SECONDS,
"headers": {...}, "bytes": N, "only": TEXT (in the body; others get 200), "times": N (then 200)}."""

import http.server
import json
import os
import ssl
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()
used = {}


def plan(body):
    try:
        with open(os.path.join(folder, "answer")) as file:
            text = file.read()
        answer = json.loads(text)
    except (OSError, ValueError):
        return {}
    if "only" in answer and answer["only"] not in body:
        return {}
    if "times" in answer:
        used[text] = used.get(text, 0) + 1
        if used[text] > answer["times"]:
            return {}
    return answer


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode()
        with lock:
            answer = plan(body)
            line = {"at": time.time(), "path": self.path, "status": answer.get("status", 200),
                    "headers": {key.lower(): value for key, value in self.headers.items()},
                    "body": body}
            with open(os.path.join(folder, "got"), "a") as file:
                file.write(json.dumps(line) + "\n")
        time.sleep(answer.get("stall", 0))
        try:
            self.send_response(answer.get("status", 200))
            for key, value in answer.get("headers", {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(answer.get("bytes", 0)))
            self.end_headers()
            left = answer.get("bytes", 0)
            while left > 0:
                self.wfile.write(b"x" * min(left, 65536))
                left -= 65536
        except OSError:
            pass

    do_GET = do_POST


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", 0), Receiver)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(folder, "port.new"), "w") as file:
    file.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
