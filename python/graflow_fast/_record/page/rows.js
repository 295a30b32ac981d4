// The rows of a run, unpacked. The layout is that of packing.py. Knows nothing of the page.
const STATUSES = ["completed", "failed", "retried", "abandoned", "skipped", "running"];
const COMPLETED = 0, FAILED = 1, RETRIED = 2, NOBODY = -2, GROUP = 1;
const KINDS = { B: [Uint8Array, 1], H: [Uint16Array, 2], h: [Int16Array, 2], i: [Int32Array, 4], I: [Uint32Array, 4] };

async function inflate(base64) {
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromPlanes(data, at, kind, count) {
  const [Numbers, width] = KINDS[kind];
  const found = new Numbers(count), raw = new Uint8Array(found.buffer);
  for (let plane = 0; plane < width; plane++) {
    for (let i = 0, from = at + plane * count, to = plane; i < count; i++, to += width) raw[to] = data[from++];
  }
  return found;
}

function summed(differences) {
  for (let i = 1; i < differences.length; i++) differences[i] += differences[i - 1];
  return differences;
}

async function unpack(layout, base64) {
  const data = await inflate(base64), column = {};
  let at = 0;
  for (const [name, kind, count] of layout.columns) {
    column[name] = fromPlanes(data, at, kind, count);
    at += KINDS[kind][1] * count;
  }
  const [names, functions, errors] = JSON.parse(new TextDecoder().decode(data.subarray(at, at + layout.text)));
  for (const name of ["node", "by", "ready", "no_ready", "no_start", "no_end"]) summed(column[name]);
  const count = layout.rows, unit = layout.unit;
  const ready = new Float64Array(count), start = new Float64Array(count), end = new Float64Array(count);
  const lastEnd = new Float64Array(65536);
  for (let row = 0; row < count; row++) {
    const worker = column.worker[row] + 32768;
    const began = lastEnd[worker] + column.gap[row];
    lastEnd[worker] = began + column.ran[row];
    ready[row] = column.ready[row] * unit;
    start[row] = began * unit;
    end[row] = lastEnd[worker] * unit;
  }
  for (const row of column.no_ready) ready[row] = NaN;
  for (const row of column.no_start) start[row] = NaN;
  for (const row of column.no_end) end[row] = NaN;
  const { node, by, outcome, attempt, worker, kind } = column;
  const original = column.row ? summed(column.row) : null;
  const ran = end.map((time, row) => time - start[row]);
  const waited = start.map((time, row) => Math.max(0, time - ready[row]));
  return {
    count, unit, node, by, outcome, attempt, worker, kind, ready, start, end, ran, waited, names, functions, errors, original,
    functionOf: column.function,
    name: (row) => names[node[row]],
    fn: (row) => functions[column.function[node[row]]] || (kind[node[row]] === GROUP ? "" : names[node[row]]),
    releasedBy: (row) => (by[row] < 0 ? "" : names[by[row]]),
  };
}

// Rows in the order of whole numbers below 2^31: number and row in one float each, since these are sorted without a function.
function sortedRows(rows, numberOf, down) {
  const shift = 2 ** 21;
  if (rows.length && rows[rows.length - 1] >= shift) return rows.slice().sort((a, b) => (down ? -1 : 1) * (numberOf(a) - numberOf(b)));
  const keys = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) keys[i] = numberOf(rows[i]) * shift + rows[i];
  keys.sort();
  const found = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) found[down ? rows.length - 1 - i : i] = keys[i] % shift;
  return found;
}
