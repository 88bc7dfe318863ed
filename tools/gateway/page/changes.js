// Changes as they come: server-sent events, read by fetch, since EventSource cannot send a token
// but in the URL. After a break it goes on behind the last event that came.

import {Refusal, send, sentenceOf} from "./ask.js";
import {byId, make, moment, plural, rest, said} from "./make.js";

const SHOWN_MAX = 200;
const NAMES_MAX = 4;
const FLUSH_MS = 150;
const SILENCE_MS = 45000; // the gateway says something every 15 s
const AGAIN_MS = [500, 1000, 2000, 5000, 10000];

let last = null;
let leftOut = null;
let control = null;
let paused = false;
let held = []; // not shown yet, the oldest first
let timer = null;
let count = 0;
let tries = 0;

// ---- the stream

// Splits text into events; what is not complete yet stays for the next time.
export function makeParser(onEvent) {
    let left = "";
    return (text) => {
        left += text;
        let end;
        while ((end = left.indexOf("\n\n")) >= 0) {
            onEvent(parseEvent(left.slice(0, end)));
            left = left.slice(end + 2);
        }
    };
}

function parseEvent(block) {
    const event = {id: null, type: "message", data: ""};
    for (const line of block.split("\n")) {
        const [, name, value] = /^([a-z]+): ?(.*)$/su.exec(line) ?? [];
        if (name === "id") {
            event.id = value;
        } else if (name === "event") {
            event.type = value;
        } else if (name === "data") {
            event.data += (event.data ? "\n" : "") + value;
        }
    }
    return event;
}

// Aborts a stream that says nothing for too long.
function guard(abort) {
    let timer = setTimeout(abort, SILENCE_MS);
    return {
        hear() {
            clearTimeout(timer);
            timer = setTimeout(abort, SILENCE_MS);
        },
        end: () => clearTimeout(timer),
    };
}

async function follow(signal, callbacks) {
    const silence = guard(() => control?.abort());
    try {
        const answer = await send("v1/changes", {signal,
            headers: {Accept: "text/event-stream", ...(last ? {"Last-Event-ID": last} : {})}});
        callbacks.onState(true);
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        const parser = makeParser((event) => take(event, callbacks));
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            tries = 0;
            silence.hear();
            parser(part.value);
        }
    } finally {
        silence.end();
    }
}

function take(event, callbacks) {
    last = event.id ?? last;
    if (event.type === "change") {
        const change = JSON.parse(event.data);
        if (change.collection === leftOut) {
            callbacks.onHooks();
            return;
        }
        add(change);
        callbacks.onChange();
    } else if (event.type === "gap") {
        add({gap: true});
        callbacks.onGap();
    }
}

// ---- the list

function rowOf(change) {
    if (change.gap) {
        return make("li", {class: "gap"}, "History in between is gone: what is above it is newer, "
            + "and the rest of the page was read anew.");
    }
    const names = change.documents.slice(0, NAMES_MAX);
    const more = change.documents.length - names.length;
    return make("li", {},
        moment(change.time), " ", said(change.author, {class: "name"}), " wrote ",
        names.flatMap((name, i) => [i ? ", " : "",
            said(`${change.collection}/${name}`, {class: "document"})]),
        more > 0 ? ` and ${more} more` : null);
}

// Rows are made some times a second at most, and only those that will be seen.
function add(entry) {
    held.push(entry);
    if (held.length > 2 * SHOWN_MAX) {
        held = held.slice(-SHOWN_MAX);
    }
    count += entry.gap ? 0 : 1;
    timer ??= setTimeout(flush, FLUSH_MS);
}

function flush() {
    timer = null;
    if (!paused) {
        const rows = held.slice(-SHOWN_MAX).reverse().map(rowOf);
        held = [];
        const list = byId("changes");
        list.prepend(...rows);
        while (list.childElementCount > SHOWN_MAX) {
            list.lastElementChild.remove();
        }
    }
    tell();
}

function tell() {
    const waiting = held.length > 0 ? `, ${Math.min(held.length, SHOWN_MAX)} held back` : "";
    byId("changes-said").textContent = count === 0 ? "They show here as they come."
        : `${plural(count, "change")} since this page was opened${waiting}.`;
}

function onPause() {
    paused = !paused;
    byId("pause").textContent = paused ? "Go on" : "Pause";
    flush();
}

// ---- for others

export function prepareChanges() {
    byId("pause").addEventListener("click", onPause);
    tell();
}

// The collection in which webhooks keep their books: that is nothing to look at.
export function leaveOut(collection) {
    leftOut = collection;
}

// Follows until the signal says that it is enough. `callbacks`: onChange, onHooks, onGap,
// onState.
export async function followChanges(stop, callbacks) {
    stop.addEventListener("abort", () => control?.abort());
    while (!stop.aborted) {
        control = new AbortController();
        try {
            await follow(control.signal, callbacks);
            callbacks.onState(false, "the stream ended");
        } catch (error) {
            if (stop.aborted || (error instanceof Refusal && error.status === 401)) {
                return;
            }
            if (error instanceof Refusal && error.status === 400) {
                last = null; // the cursor is none of this store
            }
            callbacks.onState(false, sentenceOf(error));
        }
        await rest(AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)], stop);
    }
}
