import * as Y from 'yjs';
import { print, seconds, now, UPDATES, REPLICAS, KEYS } from './figures.mjs';

function stream ()
{
  const one = new Y.Doc (), other = new Y.Doc ();
  one.on ('update', update => Y.applyUpdate (other, update));
  const map = one.getMap ('bench');
  const start = now ();
  for (let i = 0; i < UPDATES * 5; i++) map.set (`d${i % 10000}`, i);
  print ('yjs', 'apply-single', 'updates, one by one, to a second replica', UPDATES * 5 / seconds (start), 'updates/s');
  if (other.getMap ('bench').get ('d9999') !== UPDATES * 5 - 1) throw new Error ('not the same');
}

function merge ()
{
  const docs = Array.from ({ length: REPLICAS }, () => new Y.Doc ());
  docs.forEach ((doc, n) => doc.transact (() => {
    for (let i = 0; i < UPDATES; i++) doc.getMap ('bench').set (`d${i % KEYS}`, i * REPLICAS + n);
  }));
  const updates = docs.map (doc => Y.encodeStateAsUpdate (doc));
  const start = now ();
  docs.forEach ((doc, n) => updates.forEach ((update, k) => { if (k !== n) Y.applyUpdate (doc, update); }));
  print ('yjs', 'merge', '10 replicas, 10,000 updates each of 1,000 keys: merged', seconds (start) * 1000, 'ms');
  const text = JSON.stringify (docs[0].getMap ('bench').toJSON ());
  if (docs.some (doc => JSON.stringify (doc.getMap ('bench').toJSON ()).length !== text.length)) throw new Error ('not the same');
}

stream ();
merge ();
