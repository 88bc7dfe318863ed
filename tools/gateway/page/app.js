// The page: asks for a token, then shows the mesh until the token no longer holds.

import {ask, sentenceOf, token, whenRefused} from "./ask.js";
import {followChanges, leaveOut, prepareChanges} from "./changes.js";
import {readConflicts, setRole} from "./conflicts.js";
import {readHooks, setHooks} from "./hooks.js";
import {byId, replace, rest, said} from "./make.js";
import {showMesh, watchSize} from "./peers.js";

const MESH_MS = 2000;
const REST_MS = 10000; // conflicts and deliveries, when nothing says that they changed
const SOON_MS = 400;
const HOOKS_MS = 1000;

let stop = null; // of what runs while there is a token

// ---- state

let streams = false;
let meshProblem = "";

function sayState(why = "") {
    const good = streams && !meshProblem;
    byId("state").className = good ? "live" : "bad";
    replace(byId("state"), good ? "live" : said(meshProblem || why || "connecting…"));
}

// ---- reading

async function readMesh() {
    try {
        const mesh = await ask("v1/mesh");
        meshProblem = "";
        setRole(mesh.token.role);
        setHooks(mesh.token.role, mesh.hooks !== null);
        leaveOut(mesh.hooks);
        showMesh(mesh);
        const count = mesh.collections.reduce((sum, one) => sum + one.conflicts, 0);
        document.title = `${count ? `(${count}) ` : ""}${mesh.mesh.name} – saker`;
    } catch (error) {
        meshProblem = sentenceOf(error);
    }
    sayState();
}

// Calls again and again, one after the other; seldom while nobody looks.
async function every(ms, call, signal) {
    while (!signal.aborted) {
        await call();
        await rest(document.hidden ? 5 * ms : ms, signal);
    }
}

// Many changes at once are one reason to read again; and one reading ends before the next begins.
function soon(ms, call) {
    let running = false;
    let again = false;
    return async () => {
        again = true;
        if (running) {
            return;
        }
        running = true;
        while (again && stop) {
            again = false;
            await rest(ms, stop.signal);
            await (stop && call());
        }
        running = false;
    };
}

const readSoon = soon(SOON_MS, () => Promise.all([readMesh(), readConflicts()]));
const readHooksSoon = soon(HOOKS_MS, readHooks);

// ---- coming and going

function show(entry) {
    byId("entry").hidden = !entry;
    byId("board").hidden = entry;
    byId("leave").hidden = entry;
}

async function begin() {
    stop = new AbortController();
    const {signal} = stop;
    show(false);
    sayState();
    await readMesh(); // which tells, too, what the token may
    every(MESH_MS, readMesh, signal);
    every(REST_MS, readConflicts, signal);
    every(REST_MS, readHooks, signal);
    followChanges(signal, {
        onChange: readSoon,
        onHooks: readHooksSoon,
        onGap() {
            readSoon();
            readHooksSoon();
        },
        onState(connected, why) {
            streams = connected;
            sayState(why);
        },
    });
}

function end(sentence = "") {
    stop?.abort();
    stop = null;
    token.forget();
    streams = false;
    show(true);
    byId("state").textContent = "";
    byId("entry-problem").textContent = sentence;
    byId("token").focus();
}

// A token is kept once the gateway took it.
async function onEnter(event) {
    event.preventDefault();
    const text = byId("token").value.trim();
    byId("entry-problem").textContent = "";
    if (!/^[\x21-\x7e]+$/u.test(text)) {
        byId("entry-problem").textContent = "That is no token: it begins with saker_.";
        return;
    }
    token.set(text);
    try {
        await ask("v1/mesh");
    } catch (error) {
        end(`Not taken: ${sentenceOf(error)}.`);
        return;
    }
    byId("token").value = "";
    byId("main").focus();
    await begin();
}

// Loaded anew, so that nothing of the mesh is left in the page.
function onLeave() {
    end();
    location.reload();
}

byId("entry").addEventListener("submit", onEnter);
byId("leave").addEventListener("click", onLeave);
whenRefused((sentence) => stop && end(`The token no longer holds: ${sentence}.`));
prepareChanges();
watchSize();
if (token.get()) {
    begin();
} else {
    show(true);
    byId("token").focus();
}
