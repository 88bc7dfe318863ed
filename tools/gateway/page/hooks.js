// Subscriptions of other programs: where each is, what became of its last events, and again.

import {ask, post, sentenceOf} from "./ask.js";
import {byId, make, moment, plural, replace, said} from "./make.js";

const DELIVERIES = 30;
const DEAD = 50;
const unfolded = new Map(); // by name
const hadDead = new Set();
let shown = "";
let mayLook = false;
let sends = false;

const pathOf = (name, rest) => `v1/hooks/${encodeURIComponent(name)}/${rest}`;

function say(text, bad = false) {
    byId("hooks-said").className = bad ? "said bad" : "said";
    replace(byId("hooks-said"), text);
}

// ---- again

async function sendAgain(name, event, button) {
    button.disabled = true;
    try {
        const answer = await post(pathOf(name, "replay"), {event});
        say([plural(answer.events, "event"), " will be sent again to ", said(name), "."]);
        await readHooks();
    } catch (error) {
        say(["Not sent again: ", said(sentenceOf(error)), "."], true);
    }
    button.disabled = false;
}

function againButton(name, entry, kind) {
    return make("button", {type: "button", "data-key": `${kind}\n${name}\n${entry.event}\n${entry.time}`,
        "aria-label": `Send ${entry.document} again to ${name}`,
        onclick: (event) => sendAgain(name, entry.event, event.currentTarget)}, "Send again");
}

// ---- showing

// How it ended: by colour and in words.
function outcome(entry) {
    const good = entry.result === "delivered";
    const status = entry.status ? ` (${entry.status})` : "";
    return make("span", {class: good ? "good" : "bad"}, `${good ? "✓" : "✕"} ${entry.result}${status}`);
}

function deliveryRow(name, entry) {
    return make("tr", {},
        make("td", {}, moment(entry.time)),
        make("td", {class: "wraps"}, said(entry.document, {class: "document"})),
        make("td", {}, outcome(entry)),
        make("td", {class: "extra"}, `${entry.attempt}`),
        make("td", {class: "extra"}, `${entry.took_ms} ms`),
        make("td", {class: "wraps"}, said(entry.why || "–")),
        make("td", {}, againButton(name, entry, "sent")));
}

function deadRow(name, letter) {
    return make("tr", {},
        make("td", {}, moment(letter.time)),
        make("td", {class: "wraps"}, said(letter.document, {class: "document"})),
        make("td", {}, plural(letter.attempts, "attempt")),
        make("td", {class: "wraps"}, said(letter.why || "–")),
        make("td", {}, againButton(name, letter, "dead")));
}

function table(caption, heads, rows) {
    return make("div", {class: "scroll", role: "region", "aria-label": caption, tabindex: "0"},
        make("table", {}, make("caption", {}, caption),
            make("thead", {}, make("tr", {}, heads.map(([text, name]) =>
                make("th", {scope: "col", class: name}, text)))),
            make("tbody", {}, rows)));
}

function details(hook) {
    const none = make("p", {class: "hint"}, "Nothing was sent by this peer.");
    return [
        hook.letters.length === 0 ? null : table(`Dead letters: ${hook.dead}`,
            [["Changed"], ["Document"], ["Tried"], ["Why"], ["Again"]],
            hook.letters.map((letter) => deadRow(hook.name, letter))),
        hook.deliveries.length === 0 ? none : table(`The last deliveries by this peer`,
            [["When"], ["Document"], ["Result"], ["Attempt", "extra"], ["Took", "extra"], ["Why"],
                ["Again"]],
            hook.deliveries.map((entry) => deliveryRow(hook.name, entry))),
    ];
}

function card(hook) {
    const state = hook.state === "active" ? null
        : make("span", {class: "badge"}, hook.state, hook.reason ? ": " : "", said(hook.reason ?? ""));
    return make("details", {class: "card", open: unfolded.get(hook.name) ?? false, "data-hook": hook.name,
        ontoggle: (event) => onToggle(hook.name, event.currentTarget)},
    make("summary", {"data-key": `hook\n${hook.name}`},
        make("strong", {}, said(hook.name)), state, " · sent by ", said(hook.sends ?? "nobody"),
        ` · ${hook.waiting} waiting · `,
        make("span", {class: hook.dead ? "bad" : ""}, plural(hook.dead, "dead letter"))),
    make("p", {class: "hint wraps"}, "Changes of ", said(hook.collection), " to ",
        said(hook.url, {class: "document"})),
    ...details(hook).filter(Boolean));
}

function onToggle(name, element) {
    const before = unfolded.get(name);
    unfolded.set(name, element.open);
    if (element.open && !before) {
        readHooks();
    }
}

function show(hooks) {
    const text = JSON.stringify([sends, hooks]);
    if (text === shown) {
        return;
    }
    shown = text;
    const none = sends ? "No program has subscribed: saker hooks add makes a subscription."
        : "Webhooks are not configured on this peer: set hooks in its saker.conf.";
    const elsewhere = "This peer sends none itself: what others sent is in their own logs.";
    replace(byId("hooks"), [
        hooks.length === 0 ? make("p", {class: "hint"}, none)
            : sends ? null : make("p", {class: "hint"}, elsewhere),
        ...hooks.map(card)].filter(Boolean));
}

// ---- reading

// What is folded is not asked for; a subscription unfolds by itself when it gets its first dead
// letter.
async function readOne(hook) {
    if (hook.dead > 0 && !hadDead.has(hook.name)) {
        unfolded.set(hook.name, true);
    }
    hadDead[hook.dead > 0 ? "add" : "delete"](hook.name);
    hook.deliveries = [];
    hook.letters = [];
    if (unfolded.get(hook.name)) {
        const sent = await ask(pathOf(hook.name, `deliveries?limit=${DELIVERIES}`));
        const dead = await ask(pathOf(hook.name, `dead?limit=${DEAD}`));
        hook.deliveries = sent.deliveries;
        hook.letters = dead.dead;
    }
}

// What the token and this peer have to do with them.
export function setHooks(role, peerSends) {
    mayLook = role === "admin";
    sends = peerSends;
}

export async function readHooks() {
    if (!mayLook) {
        shown = "";
        replace(byId("hooks"), make("p", {class: "hint"},
            "Deliveries are shown to a token with the role admin."));
        return;
    }
    try {
        const {hooks} = await ask("v1/hooks");
        for (const hook of hooks) {
            await readOne(hook);
        }
        show(hooks);
    } catch (error) {
        say(["Cannot read the deliveries: ", said(sentenceOf(error)), "."], true);
    }
}
