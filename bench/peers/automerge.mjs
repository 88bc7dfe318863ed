import * as Automerge from '@automerge/automerge';
import { print, seconds, now, UPDATES, REPLICAS, KEYS } from './figures.mjs';

function stream ()
{
  const count = UPDATES / 5;
  let one = Automerge.from ({ bench: {} }), other = Automerge.clone (one);
  const start = now ();
  for (let i = 0; i < count; i++) {
    one = Automerge.change (one, doc => { doc.bench[`d${i}`] = i; });
    other = Automerge.applyChanges (other, [Automerge.getLastLocalChange (one)])[0];
  }
  print ('@automerge/automerge', 'apply-single', 'updates, one by one, to a second replica', count / seconds (start), 'updates/s');
  if (other.bench[`d${count - 1}`] !== count - 1) throw new Error ('not the same');
}

function merge ()
{
  const base = Automerge.from ({ bench: {} });
  let docs = Array.from ({ length: REPLICAS }, () => Automerge.clone (base));
  docs = docs.map ((doc, n) => Automerge.change (doc, draft => {
    for (let i = 0; i < UPDATES; i++) draft.bench[`d${i % KEYS}`] = i * REPLICAS + n;
  }));
  const copies = docs.map (doc => Automerge.clone (doc));
  const start = now ();
  docs = docs.map ((doc, n) => copies.reduce ((all, copy, k) => k === n ? all : Automerge.merge (all, copy), doc));
  print ('@automerge/automerge', 'merge', '10 replicas, 10,000 updates each of 1,000 keys: merged', seconds (start) * 1000, 'ms');
}

stream ();
if (process.env.SLOW) merge (); // minutes
