// Makes elements. What comes from the mesh becomes text, never markup: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) {
            element.addEventListener(name.slice(2), value);
        } else if (value === true) {
            element.setAttribute(name, "");
        } else if (value !== false && value !== undefined && value !== null) {
            element.setAttribute(name, value);
        }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

export function make(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

// Text of the mesh, isolated: right-to-left text in it does not turn what stands around it.
export function said(text, attributes = {}) {
    return make("bdi", attributes, visible(text));
}

// Characters that cannot be seen, and those that would turn the text around, are named.
export function visible(text) {
    return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu,
        (letter) => `\u2039U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
}

// The first letters of a text, with what was meant as one letter kept whole.
export function shorten(text, max) {
    const letters = Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
    return letters.length <= max ? text : letters.slice(0, max - 1).join("") + "…";
}

const units = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]];

// "340 ms", "4 s", "5 min", "2 h", "4 d".
export function age(ms) {
    for (const [size, unit] of units) {
        if (ms >= size) {
            return `${Math.floor(ms / size)} ${unit}`;
        }
    }
    return `${Math.max(0, Math.round(ms))} ms`;
}

export function bytes(count) {
    const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = 0;
    while (count >= 1024 && step < steps.length - 1) {
        count /= 1024;
        step++;
    }
    return `${step === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${steps[step]}`;
}

export function plural(count, one, many = `${one}s`) {
    return `${count} ${count === 1 ? one : many}`;
}

// A moment as people here read it; the exact one can be pointed at.
export function moment(text) {
    const time = new Date(text);
    if (Number.isNaN(time.getTime())) {
        return said(text);
    }
    const today = time.toDateString() === new Date().toDateString();
    return make("time", {datetime: text, title: text},
        today ? time.toLocaleTimeString() : time.toLocaleString());
}

// Replaces what is in a container, and keeps the keyboard where it was: elements are told apart by
// their data-key.
export function replace(container, ...children) {
    const key = container.contains(document.activeElement)
        ? document.activeElement.dataset.key : undefined;
    container.replaceChildren(...children.flat());
    if (key) {
        container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
    }
}

// Some time; less when the signal says that it is enough.
export function rest(ms, signal) {
    return new Promise((go) => {
        const end = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", end);
            go();
        };
        const timer = setTimeout(end, ms);
        signal.addEventListener("abort", end);
    });
}
