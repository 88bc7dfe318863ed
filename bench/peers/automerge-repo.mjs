// Two repos over a WebSocket on loopback, each with its files.
import { Repo } from '@automerge/automerge-repo';
import { WebSocketClientAdapter, WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket';
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { print, seconds, now, quantile, document, DOCUMENTS } from './figures.mjs';

const folder = mkdtempSync (join (tmpdir (), 'saker-bench-peers-'));
const server = new WebSocketServer ({ host: '127.0.0.1', port: 0 });
await new Promise (done => server.on ('listening', done));
const a = new Repo ({ network: [new WebSocketServerAdapter (server)],
                      storage: new NodeFSStorageAdapter (join (folder, 'a')), sharePolicy: async () => true });
const b = new Repo ({ network: [new WebSocketClientAdapter (`ws://127.0.0.1:${server.address ().port}`)],
                      storage: new NodeFSStorageAdapter (join (folder, 'b')), sharePolicy: async () => true });
await b.networkSubsystem.whenReady ();
await new Promise (done => setTimeout (done, 500));

const start = now ();
const handles = [];
for (let i = 0; i < DOCUMENTS; i++) handles.push (a.create (document (i)));
await Promise.all (handles.map (handle => b.find (handle.url)));
print ('@automerge/automerge-repo', 'bulk', 'documents of 5 fields on A, there on B', DOCUMENTS / seconds (start), 'documents/s');

const there = await b.find (handles[0].url), samples = [];
for (let i = 0; i < 300; i++) {
  const seen = new Promise (done => there.once ('change', done)), begin = now ();
  handles[0].change (doc => { doc.number = 1e6 + i; });
  await seen;
  samples.push (seconds (begin) * 1e6);
}
print ('@automerge/automerge-repo', 'latency', 'written on A, readable on B: median', quantile (samples, 0.5), 'us');
print ('@automerge/automerge-repo', 'latency', 'written on A, readable on B: p99', quantile (samples, 0.99), 'us');
rmSync (folder, { recursive: true });
process.exit (0);
