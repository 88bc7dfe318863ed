#!/usr/bin/env python3
"""Runs random schedules on the model of the agreement rules (model.py, design 5) and prints them with the states
that the model reaches, for agree.c to run on real replicas.  usage: schedules.py FIRST_SEED COUNT

  peers N            a new mesh; peer 0 founds it
  write P OP;OP...   one change at peer P: set KEY VALUE | unset KEY | inc AMOUNT | clear
  pull D S LIMIT     D takes up to LIMIT changes that it lacks, in the order of S
  state P TEXT       what peer P must hold: KEY=peer.seq.index:value,... (rivals in order)  c=SUM
"""
import random
import sys

import model


def state(peer, names):
    parts = []
    for key in sorted(peer.st.reg):
        cell = peer.st.reg[key]
        if cell:
            rivals = sorted((names.index(w[0]), seq, index, value) for (w, seq, index), (_, value) in cell.items())
            parts.append(key + "=" + ",".join(f"{p}.{s}.{i}:{v}" for p, s, i, v in rivals))
    if any(peer.st.ctr.get("c", {}).values()):
        parts.append(f"c={peer.st.total('c')}")
    return " ".join(parts) or "-"


def write(rng, peer, step):
    ops, words = [], []
    for _ in range(rng.randint(1, 3)):
        key = rng.choice("xyz")
        choice = rng.random()
        fresh = not any(op[0] == "set" and op[1] == key for op in ops)
        counted = any(op[0] in ("inc", "cdel") for op in ops)
        seen = list(peer.st.reg.get(key, {}))
        segments = peer.st.ctr.get("c", {})
        if choice < .45 and fresh:
            ops.append(("set", key, step, seen))
            words.append(f"set {key} {step}")
        elif choice < .65 and fresh and seen:
            ops.append(("set", key, None, seen))
            words.append(f"unset {key}")
        elif choice < .9 and not counted:
            amount = rng.randint(1, 9)
            ops.append(("inc", "c", amount))
            words.append(f"inc {amount}")
        elif not counted and any(segments.values()):
            ops.append(("cdel", "c", {w: max([q for q, _ in l], default=0) for w, l in segments.items()}))
            words.append("clear")
    if ops:
        peer.write(ops)
    return ";".join(words)


def schedule(seed):
    rng = random.Random(seed)
    names = "ABCDE"[:rng.randint(2, 5)]
    peers = [model.Peer(name, name == "A") for name in names]
    for peer in peers:
        peer.roster["members"] = {name: 1 for name in names}
        peer.roster["ver"] = {"A": 1}
    stats = dict(snap=0, app=0, re=0, fence=0, void=0, cutlog=0)
    print("peers", len(peers))
    for step in range(1, 80):
        at = rng.randrange(len(peers))
        if rng.random() < .5:
            words = write(rng, peers[at], step)
            if words:
                print("write", at, words)
        else:
            source = rng.randrange(len(peers))
            if source != at:
                limit = rng.choice([1, 3, 100])
                model.pull(peers[at], peers[source], limit, stats)
                print("pull", at, source, limit)
        if step % 5 == 0:
            print("state", at, state(peers[at], names))


if __name__ == "__main__":
    for seed in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
        print("seed", seed)
        schedule(seed)
