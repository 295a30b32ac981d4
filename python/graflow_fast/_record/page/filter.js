// The words that select tasks, as in conditions.py; the tests hold the two together.
const UNITS = { us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, min: 60, m: 60, h: 3600 };
const COMPARE = {
  "=": (a, b) => a === b, "!=": (a, b) => a !== b && !Number.isNaN(a), ">": (a, b) => a > b, "<": (a, b) => a < b,
  ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
};
const OTHER_NAMES = { "": "ran", function: "fn", name: "task", released_by: "by" };

function conditionOf(text, rows) {
  const terms = (text.match(/(?:[^\s"]|"[^"]*")+/g) || []).map((word) => termOf(word, rows));
  return (row) => terms.every((term) => term(row));
}

function byNode(rows, holds) { // names are looked at once for each node, not for each row
  const answers = Uint8Array.from(rows.names, (name, node) => holds(name, node));
  return (row) => answers[rows.node[row]] === 1;
}

function termOf(word, rows) {
  const parts = /^([a-z_]*)(>=|<=|!=|=|:|>|<)(.+)$/s.exec(word);
  if (!parts) {
    const part = word.replaceAll('"', "").toLowerCase();
    return byNode(rows, (name) => name.toLowerCase().includes(part));
  }
  const key = Object.hasOwn(OTHER_NAMES, parts[1]) ? OTHER_NAMES[parts[1]] : parts[1];
  const operator = parts[2] === ":" ? "=" : parts[2], value = parts[3].replaceAll('"', ""), compare = COMPARE[operator];
  const equal = operator === "=";
  if (["task", "fn", "status", "by", "error"].includes(key)) {
    if (!equal && operator !== "!=") throw new Error(`${key} is a text: compare it with = or !=`);
    if (key === "task") return byNode(rows, (name) => (name === value) === equal);
    if (key === "fn") return byNode(rows, (name, node) => ((rows.functions[rows.functionOf[node]] || name) === value) === equal);
    if (key === "by") return (row) => (rows.releasedBy(row) === value) === equal;
    if (key === "error") return (row) => (rows.errors[row] ? rows.errors[row].slice(0, 2).join(": ") : "").toLowerCase().includes(value.toLowerCase()) === equal;
    const status = STATUSES.indexOf(value);
    if (status < 0) throw new Error(`${value} is no status: ${STATUSES.join(", ")}`);
    return (row) => (rows.outcome[row] === status) === equal;
  }
  if (["ran", "waited", "start", "end"].includes(key)) {
    const time = /^(\d+(?:\.\d*)?|\.\d+)(us|µs|ms|s|min|m|h)?$/.exec(value);
    if (!time) throw new Error(`${value} is no time: write 0.5s, 20ms, 3min or 2h`);
    const seconds = Number(time[1]) * UNITS[time[2] || "s"], times = rows[key];
    return (row) => compare(times[row], seconds);
  }
  if (["worker", "attempt"].includes(key)) {
    if (!/^-?\d+$/.test(value)) throw new Error(`${value} is no whole number`);
    const numbers = rows[key], number = Number(value);
    return (row) => compare(numbers[row], number) && numbers[row] !== NOBODY;
  }
  throw new Error(`${key} is nothing that a task has here: task, fn, status, by, error, ran, waited, start, end, worker, attempt`);
}
