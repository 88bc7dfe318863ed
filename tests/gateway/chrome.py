"""A headless Chromium, driven over the DevTools protocol by a pair of pipes; the standard library alone."""

import base64, json, os, shutil, subprocess, tempfile, threading, time

PATIENCE_S = 60

FLAGS = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio",
         "--no-proxy-server", "--lang=en-GB", "about:blank"]


def found ():
    return shutil.which ("chromium") or shutil.which ("chromium-browser")


class Chrome:
    def __init__ (self):
        self.folder = tempfile.mkdtemp (prefix = "saker-chrome-")
        theirs_in, self.out = os.pipe ()
        self.into, theirs_out = os.pipe ()
        command = [found (), "--user-data-dir=" + self.folder, *FLAGS]
        self.process = subprocess.Popen (
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command],
            pass_fds = (theirs_in, theirs_out), stdout = subprocess.DEVNULL, stderr = subprocess.DEVNULL,
            env = {**os.environ, "HOME": self.folder, "TZ": "UTC"})
        os.close (theirs_in)
        os.close (theirs_out)
        self.number, self.answers, self.listeners = 0, {}, []
        self.came = threading.Condition ()
        threading.Thread (target = self.read, daemon = True).start ()

    def read (self):
        rest = b""
        while part := os.read (self.into, 1 << 20):
            *whole, rest = (rest + part).split (b"\0")
            for text in whole:
                self.take (json.loads (text))

    def take (self, message):
        if "id" in message:
            with self.came:
                self.answers[message["id"]] = message
                self.came.notify_all ()
        else:
            for listener in self.listeners:
                listener (message)

    def send (self, method, session = None, **params):
        with self.came:
            self.number += 1
            message = {"id": self.number, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            data = json.dumps (message).encode () + b"\0"
            while data:
                data = data[os.write (self.out, data):]
            return message["id"]

    def call (self, method, session = None, **params):
        number = self.send (method, session, **params)
        with self.came:
            if not self.came.wait_for (lambda: number in self.answers, PATIENCE_S):
                raise TimeoutError (method)
            answer = self.answers.pop (number)
        if "error" in answer:
            raise RuntimeError (f"{method}: {answer['error']}")
        return answer["result"]

    def page (self):
        return Page (self)

    def close (self):
        try:
            self.call ("Browser.close")
            self.process.wait (20)
        except (RuntimeError, TimeoutError, OSError, subprocess.TimeoutExpired):
            self.process.kill ()
            self.process.wait ()
        shutil.rmtree (self.folder, ignore_errors = True)


class Page:
    """One tab. `problems`: what the console says that it should not."""

    def __init__ (self, chrome):
        self.chrome, self.problems, self.requests, self.stubs = chrome, [], [], {}
        target = chrome.call ("Target.createTarget", url = "about:blank")["targetId"]
        self.session = chrome.call ("Target.attachToTarget", targetId = target, flatten = True)["sessionId"]
        chrome.listeners.append (self.listen)
        self.call ("Emulation.setScrollbarsHidden", hidden = True)
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM"):
            self.call (domain + ".enable")

    def call (self, method, **params):
        return self.chrome.call (method, self.session, **params)

    def listen (self, message):
        if message.get ("sessionId") != self.session:
            return
        method, params = message["method"], message["params"]
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append ("exception: " + details.get ("exception", {}).get ("description", details["text"]))
        elif method == "Runtime.consoleAPICalled":
            self.problems.append ("console: " + json.dumps (params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append ("log: " + params["entry"]["source"] + ": " + params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.problems.append ("dialog: " + params["message"])
        elif method == "Network.requestWillBeSent":
            self.requests.append (params["request"])
        elif method == "Fetch.requestPaused":
            self.answer (params)

    def answer (self, params):
        body = next ((body for end, body in self.stubs.items () if params["request"]["url"].endswith (end)), None)
        if body is None:
            self.chrome.send ("Fetch.continueRequest", self.session, requestId = params["requestId"])
        else:
            self.chrome.send ("Fetch.fulfillRequest", self.session, requestId = params["requestId"], responseCode = 200,
                              responseHeaders = [{"name": "Content-Type", "value": "application/json"}],
                              body = base64.b64encode (json.dumps (body).encode ()).decode ())

    def stub (self, end, body):
        """Requests whose URL ends so get this answer, and not the gateway's; None: the gateway's again."""
        self.stubs[end] = body
        self.call ("Fetch.enable", patterns = [{"urlPattern": "*" + end.replace ("?", "\\?")} for end in self.stubs])

    def open (self, url):
        self.call ("Page.navigate", url = url)
        self.until (f"location.href === {json.dumps (url)} && document.readyState === 'complete'")

    def run (self, script):
        answer = self.call ("Runtime.evaluate", expression = script, awaitPromise = True, returnByValue = True)
        if "exceptionDetails" in answer:
            raise RuntimeError (script + ": " + json.dumps (answer["exceptionDetails"])[:600])
        return answer["result"].get ("value")

    def until (self, script, seconds = PATIENCE_S):
        end = time.monotonic () + seconds
        while not self.run (script):
            if time.monotonic () > end:
                raise TimeoutError (script)
            time.sleep (0.05)

    def text (self, selector):
        return self.run (f"document.querySelector ({json.dumps (selector)})?.innerText")

    def click (self, selector):
        """With the mouse, in the middle of what is seen of it."""
        x, y = self.run (f"""(() => {{ const it = document.querySelector ({json.dumps (selector)});
            it.scrollIntoView ({{block: "center"}}); const box = it.getBoundingClientRect ();
            return [box.x + box.width / 2, box.y + box.height / 2]; }}) ()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call ("Input.dispatchMouseEvent", type = kind, x = x, y = y, button = "left", clickCount = 1)

    def type (self, text):
        self.call ("Input.insertText", text = text)

    def key (self, key, code, number, text = None):
        for kind in ("keyDown", "keyUp"):
            self.call ("Input.dispatchKeyEvent", type = kind, key = key, code = code, windowsVirtualKeyCode = number,
                       **({"text": text} if text and kind == "keyDown" else {}))

    def enter (self):
        self.key ("Enter", "Enter", 13, "\r")

    def tab (self):
        self.key ("Tab", "Tab", 9)

    def size (self, width, height, scale = 1):
        self.call ("Emulation.setDeviceMetricsOverride", width = width, height = height, deviceScaleFactor = scale,
                   mobile = False)

    def scheme (self, name):
        self.call ("Emulation.setEmulatedMedia",
                   features = [{"name": "prefers-color-scheme", "value": name},
                               {"name": "prefers-reduced-motion", "value": "reduce"}])

    def shoot (self, file, whole = True):
        data = self.call ("Page.captureScreenshot", format = "png", captureBeyondViewport = whole)["data"]
        with open (file, "wb") as out:
            out.write (base64.b64decode (data))
