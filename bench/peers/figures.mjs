// One JSON object a line, as saker-bench --json prints them.
import { readFileSync } from 'node:fs';

const version = name =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

export function print (library, row, figure, value, unit)
{
  console.log (JSON.stringify ({ library: `${library} ${version (library)}`, row, figure, value, unit }));
}

export const seconds = start => Number (process.hrtime.bigint () - start) / 1e9;
export const now = () => process.hrtime.bigint ();

export function quantile (samples, part)
{
  const sorted = [...samples].sort ((a, b) => a - b);
  return sorted[Math.min (sorted.length - 1, Math.floor (sorted.length * part))];
}

// The document of five short fields that saker-bench writes.
export const document = number => ({
  name: `name ${number * 7}`, kind: `kind ${number * 7 + 1}`, place: `place ${number * 7 + 2}`,
  note: `note ${number * 7 + 3}`, number,
});

export const UPDATES = 10000, REPLICAS = 10, KEYS = 1000, DOCUMENTS = Number (process.env.DOCUMENTS ?? 1000);
