// The mesh as a picture: this peer in the middle, the others on a ring around it. A state shows by
// colour, by the kind of line, by the shape at its end and in words.

import {draw, shorten, visible} from "./make.js";
import {behindText, countStates, isBehind, linkText, shortLag, states} from "./state.js";

const PER_SIDE_ROOMY = 9; // with more, a member has one line of text
const SIZE = 7;

// Shapes at the end of a link.
const shapes = {
    up: () => draw("circle", {r: SIZE}),
    slow: () => draw("path", {d: `M0 ${-SIZE - 2}L${SIZE + 2} ${SIZE}L${-SIZE - 2} ${SIZE}Z`}),
    silent: () => draw("circle", {r: SIZE - 1}),
    left: () => draw("rect", {x: -SIZE + 1, y: -SIZE + 1, width: 2 * SIZE - 2,
        height: 2 * SIZE - 2}),
    fenced: () => draw("path", {d: `M${-SIZE} ${-SIZE}L${SIZE} ${SIZE}M${SIZE} ${-SIZE}`
        + `L${-SIZE} ${SIZE}`}),
};

export const shapeOf = (state) => (shapes[state] ?? shapes.silent)();

// Members on both sides of an ellipse, in rows that are equally far from each other, so that no
// text covers another.
function places(count, width) {
    const right = Math.ceil(count / 2);
    const row = right > PER_SIDE_ROOMY ? 20 : 48;
    const text = Math.min(240, Math.max(96, width * 0.34));
    const radiusX = Math.max(36, Math.min(width / 2 - text - SIZE - 9, 150 + 12 * count));
    const radiusY = Math.max(36, (right - 1) * row / 2 / 0.94);
    const height = 2 * radiusY + 64;
    const list = [];
    for (let i = 0; i < count; i++) {
        const onRight = i < right;
        const rows = onRight ? right : count - right;
        const at = onRight ? i : i - right;
        const y = (at - (rows - 1) / 2) * row;
        const x = radiusX * Math.sqrt(1 - Math.min(0.95, (y / radiusY) ** 2));
        list.push({x: onRight ? x : -x, y, onRight});
    }
    return {list, text, height, roomy: row > 20};
}

// ---- text that fits

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(text, font) {
    ruler.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
    return ruler.measureText(text).width;
}

function fit(text, width, font) {
    let letters = Infinity;
    let shown = text;
    while (letters > 1 && widthOf(shown, font) > width) {
        letters = Math.min(letters, Array.from(shown).length) - 1;
        shown = shorten(text, letters);
    }
    return shown;
}

const nameFont = "600 13px";
const lagFont = "12px";

function tallLabel(peer, x, y, width) {
    const state = linkText(peer) + (isBehind(peer) ? "" : `, ${behindText(peer)}`);
    return [
        draw("text", {x, y: y - 1, class: "name"}, fit(visible(peer.name), width, nameFont)),
        draw("text", {x, y: y + 14, class: "lag"}, fit(state, width, lagFont)),
        isBehind(peer) ? draw("text", {x, y: y + 28, class: "lag behind"},
            fit(shortLag(peer), width, lagFont)) : null,
    ];
}

function flatLabel(peer, x, y, width) {
    const state = [peer.link === "up" ? "" : peer.link,
        isBehind(peer) ? shortLag(peer) : ""].filter(Boolean).join(", ");
    const room = Math.max(width - widthOf(state, lagFont) - 6, 0.55 * width);
    const name = fit(visible(peer.name), room, nameFont);
    return [draw("text", {x, y: y + 4},
        draw("tspan", {class: "name"}, name),
        state ? draw("tspan", {class: isBehind(peer) ? "lag behind" : "lag", dx: 5},
            fit(state, width - widthOf(name, nameFont) - 6, lagFont)) : null)];
}

function label(peer, place, layout) {
    const x = place.x + (place.onRight ? 1 : -1) * (SIZE + 7);
    const lines = (layout.roomy ? tallLabel : flatLabel)(peer, x, place.y, layout.text);
    return draw("g", {"text-anchor": place.onRight ? "start" : "end"}, ...lines);
}

function member(peer, place, layout) {
    const whole = `${visible(peer.name)}: ${linkText(peer)}, ${behindText(peer)}`;
    return draw("g", {class: `member ${peer.link}`, "data-peer": peer.id},
        draw("title", {}, whole),
        draw("line", {x1: 0, y1: 0, x2: place.x, y2: place.y}),
        draw("g", {class: "shape", transform: `translate(${place.x} ${place.y})`},
            shapeOf(peer.link)),
        label(peer, place, layout));
}

function middle(self) {
    return draw("g", {class: "self"},
        draw("title", {}, `${visible(self.name)}: this peer`),
        draw("circle", {r: 15, class: "halo"}),
        draw("circle", {r: 10}),
        draw("text", {y: 31, class: "name", "text-anchor": "middle"},
            shorten(visible(self.name), 14)),
        draw("text", {y: 45, class: "lag", "text-anchor": "middle"}, "this peer"));
}

function summary(self, others) {
    const counts = countStates(others);
    const words = states.filter((state) => counts[state] > 0)
        .map((state) => `${counts[state]} ${state}`).join(", ");
    return others.length === 0 ? `${visible(self.name)} is the only member`
        : `${visible(self.name)}, this peer, and its links to other members: ${words}`;
}

// The picture for a container of this width.
export function pictureOf(peers, width) {
    const self = peers.find((peer) => peer.link === "self") ?? {name: "?"};
    const others = peers.filter((peer) => peer !== self);
    const layout = places(others.length, width);
    const members = others.map((peer, i) => member(peer, layout.list[i], layout));
    return draw("svg", {role: "img", "aria-label": summary(self, others), width,
        height: layout.height,
        viewBox: `${-width / 2} ${-layout.height / 2} ${width} ${layout.height}`},
    ...members, middle(self));
}
