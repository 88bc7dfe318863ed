import { LoroDoc } from 'loro-crdt';
import { print, seconds, now, UPDATES, REPLICAS, KEYS } from './figures.mjs';

function stream ()
{
  const one = new LoroDoc (), other = new LoroDoc ();
  one.subscribeLocalUpdates (update => other.import (update));
  const map = one.getMap ('bench');
  const start = now ();
  for (let i = 0; i < UPDATES; i++) {
    map.set (`d${i % 10000}`, i);
    one.commit ();
  }
  print ('loro-crdt', 'apply-single', 'updates, one by one, to a second replica', UPDATES / seconds (start), 'updates/s');
  if (other.getMap ('bench').get (`d${UPDATES - 1}`) !== UPDATES - 1) throw new Error ('not the same');
}

function merge ()
{
  const docs = Array.from ({ length: REPLICAS }, () => new LoroDoc ());
  docs.forEach ((doc, n) => {
    for (let i = 0; i < UPDATES; i++) doc.getMap ('bench').set (`d${i % KEYS}`, i * REPLICAS + n);
    doc.commit ();
  });
  const updates = docs.map (doc => doc.export ({ mode: 'update' }));
  const start = now ();
  docs.forEach ((doc, n) => updates.forEach ((update, k) => { if (k !== n) doc.import (update); }));
  print ('loro-crdt', 'merge', '10 replicas, 10,000 updates each of 1,000 keys: merged', seconds (start) * 1000, 'ms');
}

stream ();
merge ();
