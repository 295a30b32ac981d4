// Tables: small ones, and the one of all tasks, of which only what is seen exists. All text is put in as text.
function element(name, text, properties = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  Object.assign(made, properties);
  return made;
}

function fillTable(table, heads, lines) { // a head is [text, is a number]; a line is cells, and what is done when it is chosen
  const head = element("tr");
  for (const [text, isNumber] of heads) head.append(element("th", text, { scope: "col", className: isNumber ? "n" : "" }));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...lines.map(({ cells, choose, mark }) => {
    const line = element("tr", null, { className: mark || "" });
    cells.forEach((cell, at) => {
      const made = element("td", cell instanceof Node ? null : shortened(String(cell)), { className: heads[at][1] ? "n" : "" });
      if (cell instanceof Node) made.append(cell);
      if (at === 0 && choose) { const button = element("button", made.textContent, { type: "button" }); made.replaceChildren(button); }
      line.append(made);
    });
    if (choose) line.addEventListener("click", choose);
    return line;
  }));
}

function bars(numbers, label) {
  const space = "http://www.w3.org/2000/svg", picture = document.createElementNS(space, "svg"), most = Math.max(1, ...numbers);
  for (const [name, value] of [["class", "bars"], ["width", numbers.length * 5], ["height", 18], ["role", "img"], ["aria-label", label]]) picture.setAttribute(name, value);
  numbers.forEach((number, at) => {
    if (!number) return;
    const bar = document.createElementNS(space, "rect"), tall = Math.max(2, (18 * number) / most);
    for (const [name, value] of [["x", at * 5], ["y", 18 - tall], ["width", 4], ["height", tall]]) bar.setAttribute(name, value);
    picture.append(bar);
  });
  return picture;
}

const LINE = 25, MOST_HEIGHT = 8e6; // browsers draw no element that is much higher

class TaskTable {
  constructor(rows, hooks) {
    Object.assign(this, { rows, hooks, order: new Uint32Array(0), first: 0, chosen: -1, sort: "", down: false });
    this.scroll = document.getElementById("scroll");
    this.room = document.getElementById("room");
    this.table = this.room.querySelector("table");
    const number = (key) => (row) => (Number.isNaN(rows[key][row]) ? 0 : Math.round(rows[key][row] / rows.unit) + 1);
    this.columns = [
      ["task", "Task", rows.name, (row) => this.rankOf(row)], ["fn", "Function", rows.fn, (row) => rows.functionOf[rows.node[row]]],
      ["status", "Status", (row) => STATUSES[rows.outcome[row]], (row) => rows.outcome[row]], ["attempt", "Attempt", (row) => rows.attempt[row], (row) => rows.attempt[row]],
      ["worker", "Worker", (row) => workerWords(rows.worker[row]), (row) => rows.worker[row] + 2], ["start", "Started", (row) => timeWords(rows.start[row]), number("start")],
      ["waited", "Waited", (row) => timeWords(rows.waited[row]), number("waited")], ["ran", "Ran", (row) => timeWords(rows.ran[row]), number("ran")],
      ["end", "Ended", (row) => timeWords(rows.end[row]), number("end")], ["by", "Released by", rows.releasedBy, (row) => rows.by[row] + 1],
    ];
    this.numeric = new Set(["attempt", "worker", "start", "waited", "ran", "end"]);
    this.makeHead();
    this.scroll.addEventListener("scroll", () => { if (!this.placed) this.first = this.firstAt(this.scroll.scrollTop); this.placed = false; this.draw(); });
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    this.scroll.addEventListener("wheel", (event) => {
      if (this.order.length * LINE <= MOST_HEIGHT || event.ctrlKey) return; // here a notch of the wheel would skip rows
      event.preventDefault();
      this.goTo(this.first + Math.sign(event.deltaY) * 3);
    }, { passive: false });
    new ResizeObserver(() => this.draw()).observe(this.scroll);
    addEventListener("beforeprint", () => this.draw(200));
    addEventListener("afterprint", () => this.draw());
  }

  makeHead() {
    const head = element("tr");
    for (const [key, text] of this.columns) {
      const cell = element("th", null, { scope: "col", className: this.numeric.has(key) ? "n" : "" }), button = element("button", text, { type: "button" });
      button.addEventListener("click", () => this.hooks.sort(key, this.sort === key ? !this.down : this.numeric.has(key)));
      cell.append(button);
      cell.dataset.key = key;
      head.append(cell);
    }
    this.table.tHead.replaceChildren(head);
  }

  rankOf(row) {
    if (!this.ranks) {
      const names = this.rows.names, order = Array.from(names, (_, node) => node).sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0));
      this.ranks = new Uint32Array(names.length);
      order.forEach((node, rank) => { this.ranks[node] = rank; });
    }
    return this.ranks[this.rows.node[row]];
  }

  show(order, sort, down) {
    const column = this.columns.find(([key]) => key === sort);
    this.order = column ? sortedRows(order, column[3], down) : order;
    Object.assign(this, { sort: column ? sort : "", down });
    for (const cell of this.table.tHead.rows[0].cells) {
      if (cell.dataset.key === this.sort) cell.setAttribute("aria-sort", down ? "descending" : "ascending"); else cell.removeAttribute("aria-sort");
      cell.firstChild.textContent = this.columns[cell.cellIndex][1] + (cell.dataset.key === this.sort ? (down ? " ▼" : " ▲") : "");
    }
    this.table.setAttribute("aria-rowcount", this.order.length + 1);
    this.room.style.height = `${Math.min(MOST_HEIGHT, (this.order.length + 1) * LINE)}px`;
    this.goTo(0);
  }

  visible() { return Math.max(1, Math.floor(this.scroll.clientHeight / LINE) - 1); }
  last() { return Math.max(0, this.order.length - this.visible()); }
  firstAt(top) {
    const most = this.room.offsetHeight - this.scroll.clientHeight;
    return most <= 0 ? 0 : Math.min(this.last(), Math.round((top / most) * this.last()));
  }

  goTo(first) {
    this.first = Math.max(0, Math.min(this.last(), first));
    const top = Math.round(this.last() ? (this.first / this.last()) * (this.room.offsetHeight - this.scroll.clientHeight) : 0);
    if (top !== Math.round(this.scroll.scrollTop)) { this.placed = true; this.scroll.scrollTop = top; }
    this.draw();
  }

  draw(most = 0) {
    const start = most ? 0 : this.first, count = Math.min(most || this.visible(), this.order.length - start), lines = [];
    for (let at = start; at < start + count; at++) {
      const row = this.order[at], line = element("tr", null, { className: row === this.chosen ? "chosen" : "" });
      line.setAttribute("aria-rowindex", at + 2);
      for (const [key, , text] of this.columns) {
        const shown = shortened(String(text(row))), status = key === "status" ? STATUSES[this.rows.outcome[row]] : "";
        line.append(element("td", shown, { className: `${this.numeric.has(key) ? "n" : ""} ${status}` }));
      }
      line.addEventListener("click", () => this.hooks.choose(row));
      lines.push(line);
    }
    if (!lines.length) { const line = element("tr"); line.append(element("td", "No task is like that.", { colSpan: this.columns.length })); lines.push(line); }
    this.table.tBodies[0].replaceChildren(...lines);
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: this.visible(), PageUp: -this.visible(), Home: -Infinity, End: Infinity };
    if (!(event.key in moves) || event.target !== this.scroll || !this.order.length) return;
    event.preventDefault();
    const place = this.order.indexOf(this.chosen), next = place < 0 && Math.abs(moves[event.key]) === 1 ? this.first : Math.max(0, Math.min(this.order.length - 1, Math.max(0, place) + moves[event.key]));
    this.hooks.choose(this.order[next]);
    if (next < this.first || next >= this.first + this.visible()) this.goTo(next - Math.floor(this.visible() / 2)); else this.draw();
  }

  csv() {
    const cell = (value) => {
      const text = String(value), safe = /^[=+\-@\t\r]/.test(text) && typeof value !== "number" ? `'${text}` : text; // a spreadsheet would run it
      return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const seconds = (time) => (Number.isNaN(time) ? "" : Number(time.toFixed(6))), { rows } = this;
    const lines = ["task,function,status,attempt,worker,released_by,ready,start,end,waited,ran,error"];
    for (const row of this.order) {
      const error = rows.errors[row] ? rows.errors[row].slice(0, 2).join(": ") : "";
      lines.push([rows.name(row), rows.fn(row), STATUSES[rows.outcome[row]], rows.attempt[row], rows.worker[row] === NOBODY ? "" : rows.worker[row], rows.releasedBy(row),
        ...["ready", "start", "end", "waited", "ran"].map((key) => seconds(rows[key][row])), error].map(cell).join(","));
    }
    return lines.join("\r\n");
  }
}
