// The members: tiles, picture, legend and table, from what the gateway tells of the mesh.

import {age, byId, bytes, draw, make, plural, replace, said} from "./make.js";
import {pictureOf, shapeOf} from "./picture.js";
import {behindText, countStates, isBehind, states} from "./state.js";

let latest = null;

function mark(state) {
    return draw("svg", {class: `mark member ${state}`, viewBox: "-12 -12 24 24", width: 18,
        height: 18, "aria-hidden": "true"}, draw("g", {class: "shape"}, shapeOf(state)));
}

function row(peer) {
    const self = peer.link === "self";
    const trip = peer.rtt_us < 0 ? "–" : `${(peer.rtt_us / 1000).toFixed(1)} ms`;
    return make("tr", {"data-peer": peer.id},
        make("th", {scope: "row"}, said(peer.name, {class: "name", title: peer.id})),
        make("td", {}, self ? "this peer" : [mark(peer.link), " ", peer.link]),
        make("td", {class: isBehind(peer) ? "behind" : ""}, self ? "–" : behindText(peer)),
        make("td", {}, self ? "–" : peer.seen_ms < 0 ? "never" : `${age(peer.seen_ms)} ago`),
        make("td", {class: "extra"}, trip),
        make("td", {class: "extra"}, peer.role),
        make("td", {class: "extra address"}, said(peer.address || "–")));
}

// Those that need a look come first.
function byNeed(a, b) {
    const need = (peer) => peer.link === "self" ? -1 : states.length - states.indexOf(peer.link);
    const order = (peer) => peer.link === "self" ? 0 : peer.link === "up" ? 2 : 1;
    return order(a) - order(b) || b.behind - a.behind || need(a) - need(b)
        || a.name.localeCompare(b.name);
}

function tile(name, value, bad = false) {
    return make("div", {class: bad ? "tile bad" : "tile"}, make("dt", {}, name),
        make("dd", {}, value));
}

function tiles(mesh, others) {
    const counts = countStates(others);
    const well = counts.up;
    const awaited = others.filter((peer) => peer.link !== "fenced"); // nobody waits for these
    const worst = awaited.reduce((most, peer) => Math.max(most, peer.behind), 0);
    const longest = awaited.reduce((most, peer) => Math.max(most, peer.lag_ms), 0);
    const conflicts = mesh.collections.reduce((sum, one) => sum + one.conflicts, 0);
    const documents = mesh.collections.reduce((sum, one) => sum + one.documents, 0);
    return [
        tile("Links up", `${well} of ${others.length}`, well < others.length),
        tile("Furthest behind", worst ? `${plural(worst, "change")}, ${age(longest)}` : "none"),
        tile("Conflicts", String(conflicts), conflicts > 0),
        tile("Documents", `${documents} in ${plural(mesh.collections.length, "collection")}`),
        tile("Store", bytes(mesh.store.used_bytes)),
    ];
}

// Left alone where it would be the same, so that what the mouse points at stays.
function drawPicture() {
    const width = Math.max(240, Math.floor(byId("picture").clientWidth));
    const fresh = pictureOf(latest.peers, width);
    if (byId("picture").firstElementChild?.outerHTML !== fresh.outerHTML) {
        byId("picture").replaceChildren(fresh);
    }
}

function showLegend() {
    if (byId("legend").childElementCount === 0) {
        replace(byId("legend"), states.map((state) => make("li", {}, mark(state), " ", state)));
    }
}

export function showMesh(mesh) {
    latest = mesh;
    latest.peers.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
    const others = mesh.peers.filter((peer) => peer.link !== "self");
    replace(byId("mesh-name"), said(mesh.mesh.name));
    replace(byId("whoami"), "seen by ", said(mesh.device.name), ", token ", said(mesh.token.name),
        ` (${mesh.token.role})`);
    byId("version").textContent = mesh.version;
    replace(byId("tiles"), tiles(mesh, others));
    showLegend();
    drawPicture();
    replace(byId("peers"), [...mesh.peers].sort(byNeed).map(row));
}

export function watchSize() {
    new ResizeObserver(() => latest && drawPicture()).observe(byId("picture"));
}
