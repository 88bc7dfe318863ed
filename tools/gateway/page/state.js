// How a member is, in words.

import {age, plural} from "./make.js";

export const states = ["up", "slow", "silent", "left", "fenced"];

export const isBehind = (peer) => peer.behind > 0;

// The link in words.
export function linkText(peer) {
    const silence = peer.seen_ms < 0 ? "never heard" : `heard ${age(peer.seen_ms)} ago`;
    return peer.link === "up" ? "up"
        : peer.link === "slow" || peer.link === "silent" ? `${peer.link}, ${silence}` : peer.link;
}

const lagAge = (peer) => peer.lag_ms < 0 ? "" : `, ${age(peer.lag_ms)}`;

// Its lag in words.
export function behindText(peer) {
    return peer.behind < 0 ? "lag unknown"
        : peer.behind === 0 ? "level"
        : `${plural(peer.behind, "change")} behind${lagAge(peer)}`;
}

// The same, shorter, of one that is behind.
export const shortLag = (peer) => `${peer.behind} behind${lagAge(peer)}`;

export function countStates(peers) {
    const counts = Object.fromEntries(states.map((state) => [state, 0]));
    for (const peer of peers) {
        counts[peer.link] = (counts[peer.link] ?? 0) + 1;
    }
    return counts;
}
