// Where rivals are, and settling them by a click.
//
// A click settles what was looked at: first the document's state is asked for, then whether the
// rivals are still those that are shown; then the settlement is sent with that state in If-Match,
// so that whatever came in between makes the gateway refuse it.

import {ask, documentPath, post, send, sentenceOf} from "./ask.js";
import {byId, make, moment, plural, replace, said} from "./make.js";

const LIMIT = 100;
const VALUE_MAX = 4000; // letters
let shown = "";
let mayWrite = false;
let settling = false;

function keyOf(conflict) {
    return [conflict.collection, conflict.document, conflict.pointer].join("\n");
}

// What makes rivals the same: who wrote which of his changes.
function identity(conflict) {
    return JSON.stringify(conflict.rivals.map((rival) => [rival.n, rival.writer, rival.seq,
        rival.cell, rival.value]));
}

function say(text, bad = false) {
    byId("conflicts-said").className = bad ? "said bad" : "said";
    replace(byId("conflicts-said"), text);
}

// ---- settling

async function stateOf(conflict) {
    const answer = await send(documentPath(conflict.collection, conflict.document),
        {method: "HEAD"});
    return answer.headers.get("ETag");
}

async function isAsShown(conflict) {
    const path = documentPath(conflict.collection, conflict.document, "/conflicts?pointer=");
    const fresh = await ask(path + encodeURIComponent(conflict.pointer));
    const same = fresh.conflicts.find((one) => one.pointer === conflict.pointer);
    return same !== undefined && identity(same) === identity(conflict);
}

async function settle(conflict, rival) {
    const state = await stateOf(conflict);
    if (!await isAsShown(conflict)) {
        throw new Error("the rivals changed meanwhile");
    }
    await post(documentPath(conflict.collection, conflict.document, "/conflicts"),
        {pointer: conflict.pointer, take: rival.n}, {"If-Match": state});
}

async function onSettle(conflict, rival, button) {
    if (settling) {
        return;
    }
    settling = true;
    button.disabled = true;
    say("Settling…");
    try {
        await settle(conflict, rival);
        say(["Settled ", said(`${conflict.collection}/${conflict.document}`), " ",
            said(conflict.pointer), ": the value of ", said(rival.author), " stays."]);
    } catch (error) {
        say(["Not settled: ", said(sentenceOf(error)), ". The list was read anew."], true);
    }
    settling = false;
    button.disabled = false;
    await readConflicts();
    if (!document.activeElement || document.activeElement === document.body) {
        byId("conflicts-heading").focus();
    }
}

// ---- showing

function valueText(rival) {
    const text = rival.cell === "map" ? "a map with keys" : JSON.stringify(rival.value, null, 2);
    return text.length <= VALUE_MAX ? text
        : `${text.slice(0, VALUE_MAX)}… and ${text.length - VALUE_MAX} more letters`;
}

function rivalRow(conflict, rival) {
    const label = `Keep value ${rival.n}, by ${rival.author}, at ${conflict.pointer || "the whole "
        + "document"} of ${conflict.collection}/${conflict.document}`;
    return make("li", {class: rival.shown ? "rival shown" : "rival"},
        make("pre", {tabindex: "0", "aria-label": `value ${rival.n}`}, said(valueText(rival))),
        make("p", {class: "by"}, said(rival.author), " · ", moment(rival.time),
            rival.shown ? make("span", {class: "badge"}, "shown now") : null,
            rival.cell === "register" ? null : make("span", {class: "badge"}, rival.cell)),
        make("button", {type: "button", disabled: !mayWrite, "aria-label": label,
            "data-key": `${keyOf(conflict)}\n${rival.writer}${rival.seq}`,
            onclick: (event) => onSettle(conflict, rival, event.currentTarget)}, "Keep this"));
}

function card(conflict) {
    return make("article", {class: "card", "data-document": conflict.document},
        make("h3", {}, said(conflict.collection), " / ", said(conflict.document), " ",
            make("code", {}, said(conflict.pointer || "(whole document)"))),
        make("ul", {class: "rivals"}, conflict.rivals.map((rival) => rivalRow(conflict, rival))));
}

function show(answer) {
    const list = answer.conflicts;
    const text = JSON.stringify([mayWrite, answer]);
    if (text === shown) {
        return;
    }
    shown = text;
    const rest = answer.more ? make("p", {class: "hint"},
        `These are the first ${LIMIT}; more follow when some are settled.`) : null;
    const none = list.length === 0 ? make("p", {class: "hint"}, "None.") : null;
    const readOnly = list.length > 0 && !mayWrite ? make("p", {class: "hint"},
        "This token may only look: one with the role write may settle.") : null;
    replace(byId("conflicts"), [none, readOnly, ...list.map(card), rest].filter(Boolean));
    byId("conflicts-heading").textContent = list.length === 0 ? "Conflicts"
        : `Conflicts: ${answer.more ? "more than " : ""}${plural(list.length, "place")}`;
}

export function setRole(role) {
    mayWrite = role === "write" || role === "admin";
}

export async function readConflicts() {
    try {
        show(await ask(`v1/conflicts?limit=${LIMIT}`));
    } catch (error) {
        say(["Cannot read the conflicts: ", said(sentenceOf(error))], true);
    }
}
