// Figures from standard input, one JSON object a line, as a table by row.
import { createInterface } from 'node:readline';

const rows = new Map ();
for await (const line of createInterface ({ input: process.stdin })) {
  const figure = JSON.parse (line);
  if (!rows.has (figure.row)) rows.set (figure.row, []);
  rows.get (figure.row).push (figure);
}
for (const [row, figures] of rows) {
  console.log (row);
  for (const { library, figure, value, unit } of figures) {
    console.log (`  ${library.padEnd (36)} ${figure.padEnd (58)} ${value.toFixed (1).padStart (12)} ${unit}`);
  }
}
