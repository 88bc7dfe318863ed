// Two databases in LevelDB, replicated live in one process: no network between them.
import PouchDB from 'pouchdb-node';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print, seconds, now, quantile, document, DOCUMENTS } from './figures.mjs';

const folder = mkdtempSync (join (tmpdir (), 'saker-bench-peers-'));
const a = new PouchDB (join (folder, 'a')), b = new PouchDB (join (folder, 'b'));
const count = DOCUMENTS * 10;

const start = now ();
for (let first = 0; first < count; first += 100) {
  await a.bulkDocs (Array.from ({ length: 100 }, (_, k) => ({ _id: `document-${first + k}`, ...document (first + k) })));
}
await PouchDB.replicate (a, b, { batch_size: 1000 });
print ('pouchdb-node', 'bulk', 'documents of 5 fields on A, there on B', count / seconds (start), 'documents/s');

const live = a.replicate.to (b, { live: true, since: 'now' }), samples = [];
await new Promise (done => live.once ('paused', done));
let seen;
b.changes ({ live: true, since: 'now' }).on ('change', () => seen?.());
let { rev } = await a.put ({ _id: 'one', number: 0 });
await new Promise (done => setTimeout (done, 500));
for (let i = 0; i < 300; i++) {
  const change = new Promise (done => { seen = done; }), begin = now ();
  ({ rev } = await a.put ({ _id: 'one', _rev: rev, ...document (i) }));
  await change;
  samples.push (seconds (begin) * 1e6);
}
print ('pouchdb-node', 'latency', 'written on A, readable on B: median', quantile (samples, 0.5), 'us');
print ('pouchdb-node', 'latency', 'written on A, readable on B: p99', quantile (samples, 0.99), 'us');
rmSync (folder, { recursive: true, force: true });
process.exit (0);
