// Requests to the gateway. The token goes into a header, never into a URL.

const KEY = "saker-token";
let onRefused = () => {};

export const token = {
    get: () => sessionStorage.getItem(KEY),
    set: (text) => sessionStorage.setItem(KEY, text),
    forget: () => sessionStorage.removeItem(KEY),
};

// Called when the token does not hold (any longer).
export function whenRefused(callback) {
    onRefused = callback;
}

// What the gateway answered when it did not do what was asked.
export class Refusal extends Error {
    constructor(status, sentence, code) {
        super(sentence);
        this.status = status;
        this.code = code;
    }
}

// A number that JavaScript would round or print in another way stays as it was sent.
function keepNumber(key, value, context) {
    const source = context?.source;
    return typeof value === "number" && source && String(value) !== source && JSON.rawJSON
        ? JSON.rawJSON(source) : value;
}

function parse(text) {
    try {
        return JSON.parse(text, keepNumber);
    } catch {
        return null;
    }
}

async function refusal(response) {
    const problem = parse(await response.text()) ?? {};
    return new Refusal(response.status, problem.detail ?? `the gateway answered ${response.status}`,
        problem.code);
}

// Sends a request with the token; throws a Refusal, or a TypeError when the gateway is not there.
export async function send(path, {headers = {}, ...options} = {}) {
    const mine = token.get();
    if (mine === null) {
        throw new Refusal(401, "the token was forgotten");
    }
    const response = await fetch(path, {
        ...options,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        headers: {Accept: "application/json", Authorization: `Bearer ${mine}`, ...headers},
    });
    if (response.ok) {
        return response;
    }
    const problem = await refusal(response);
    if (response.status === 401 && mine === token.get()) {
        onRefused(problem.message);
    }
    throw problem;
}

export async function ask(path, options) {
    const response = await send(path, options);
    return parse(await response.text());
}

export function post(path, body, headers = {}) {
    return ask(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: {"Content-Type": "application/json", ...headers},
    });
}

// One sentence about what went wrong.
export function sentenceOf(error) {
    return error instanceof Refusal ? error.message
        : error instanceof TypeError ? "the gateway does not answer"
        : error.name === "AbortError" ? "the gateway says nothing any more"
        : String(error.message);
}

// The path of a document, or of something of it.
export function documentPath(collection, document, rest = "") {
    return `v1/collections/${encodeURIComponent(collection)}/documents/`
        + `${encodeURIComponent(document)}${rest}`;
}
