// The timeline: one lane a worker, boxes when there is room for them, shares of pixels when not. What it costs to draw
// depends on its lanes and width, not on the number of tasks. Tells what was pointed at, and knows nothing of tables.
function firstWhere(count, holds) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle; else low = middle + 1;
  }
  return low;
}

function lanesOf(rows, wall) {
  const byWorker = new Map();
  for (let row = 0; row < rows.count; row++) {
    const worker = rows.worker[row];
    if (worker === NOBODY || Number.isNaN(rows.start[row])) continue;
    if (!byWorker.has(worker)) byWorker.set(worker, []);
    byWorker.get(worker).push(row);
  }
  const lanes = [];
  for (const worker of [...byWorker.keys()].sort((a, b) => a - b)) {
    const own = byWorker.get(worker), all = [];
    let ordered = true;
    for (let i = 1; i < own.length && ordered; i++) ordered = rows.start[own[i]] >= rows.start[own[i - 1]];
    if (!ordered) own.sort((a, b) => rows.start[a] - rows.start[b]);
    for (const row of own) { // bodies that overlap (coroutines) get lanes beside each other
      let lane = all.find((other) => other.free <= rows.start[row] + rows.unit);
      if (!lane) all.push((lane = { worker, rows: [], free: 0 }));
      lane.rows.push(row);
      lane.free = Number.isNaN(rows.end[row]) ? wall : rows.end[row];
    }
    lanes.push(...all);
  }
  for (const lane of lanes) {
    lane.busy = new Float64Array(lane.rows.length + 1);
    lane.rows.forEach((row, i) => { lane.busy[i + 1] = lane.busy[i] + (Number.isNaN(rows.ran[row]) ? wall - rows.start[row] : rows.ran[row]); });
  }
  return lanes;
}

class Timeline {
  constructor(canvas, rows, facts, hooks) {
    Object.assign(this, { canvas, rows, hooks, wall: Math.max(facts.wall, 1e-6), path: facts.path.map((step) => step[0]) });
    this.lanes = lanesOf(rows, this.wall);
    const known = (times) => times.filter((time) => !Number.isNaN(time)).sort();
    const bodies = (times) => known(times.filter((_, row) => rows.worker[row] !== NOBODY));
    this.starts = bodies(rows.start); this.ends = bodies(rows.end); this.readies = bodies(rows.ready);
    this.troubles = [];
    for (let row = 0; row < rows.count && this.troubles.length < 5000; row++) if (rows.outcome[row] === FAILED || rows.outcome[row] === RETRIED) this.troubles.push(row);
    this.laneOf = new Map();
    const special = new Set([...this.path, ...this.troubles]);
    this.lanes.forEach((lane, at) => lane.rows.forEach((row) => { if (special.has(row)) this.laneOf.set(row, at); }));
    this.matches = null;
    this.from = 0; this.to = this.wall;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(from, to) {
    const least = Math.max(this.rows.unit * 10, this.wall * 1e-9), width = Math.min(this.wall, Math.max(least, to - from));
    this.from = Math.min(Math.max(0, from), this.wall - width);
    this.to = this.from + width;
    if (!this.waiting) { this.waiting = true; requestAnimationFrame(() => { this.waiting = false; this.draw(); }); }
  }

  zoom(factor, at = (this.from + this.to) / 2) { this.show(at - (at - this.from) * factor, at + (this.to - at) * factor); }
  move(share) { const by = (this.to - this.from) * share; this.show(this.from + by, this.to + by); }
  act(name) {
    const acts = { in: () => this.zoom(0.5), out: () => this.zoom(2), left: () => this.move(-0.25), right: () => this.move(0.25), all: () => this.show(0, this.wall) };
    acts[name]();
  }

  x(time) { return this.left + (time - this.from) * this.scale; }

  draw() {
    const canvas = this.canvas, ratio = devicePixelRatio || 1, width = canvas.parentElement.clientWidth, style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    this.left = Math.min(70, width / 5);
    this.tall = Math.max(4, Math.min(26, Math.floor(480 / Math.max(1, this.lanes.length))));
    const height = this.lanes.length * this.tall + 100;
    canvas.style.height = `${height}px`;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
    this.scale = (width - this.left) / (this.to - this.from);
    this.colors = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((number) => color(`--c${number}`));
    this.lanes.forEach((lane, at) => {
      const top = at * this.tall;
      if (this.tall >= 12 || at % Math.ceil(12 / this.tall) === 0) {
        pen.fillStyle = color("--soft");
        pen.fillText(lane.worker < 0 ? "caller" : `worker ${lane.worker}`, 2, top + this.tall / 2, this.left - 6);
      }
      pen.fillStyle = color("--raised");
      pen.fillRect(this.left, top + 1, width - this.left, this.tall - 2);
      this.drawLane(pen, lane, top, width, color);
    });
    this.drawMarks(pen, color);
    this.drawCounts(pen, this.lanes.length * this.tall + 8, width, color);
    this.hooks.span(`${timeWords(this.from)} to ${timeWords(this.to)} of ${timeWords(this.wall)}`);
  }

  endOf(row) { const end = this.rows.end[row]; return Number.isNaN(end) ? this.wall : end; }
  colorOf(row) { return this.matches && !this.matches(row) ? this.colors[8] : this.colors[this.hooks.color(row)]; }

  drawLane(pen, lane, top, width, color) {
    const own = lane.rows, first = firstWhere(own.length, (i) => this.endOf(own[i]) > this.from), last = firstWhere(own.length, (i) => this.rows.start[own[i]] > this.to);
    if (last - first <= 2 * width) {
      for (let i = first; i < last; i++) {
        const row = own[i], x = Math.max(this.left, this.x(this.rows.start[row])), wide = Math.max(1, this.x(Math.min(this.to, this.endOf(row))) - x);
        pen.globalAlpha = this.matches && !this.matches(row) ? 0.35 : 1;
        pen.fillStyle = this.colorOf(row);
        pen.fillRect(x, top + 2, wide > 3 ? wide - 1 : wide, this.tall - 4);
        if (wide > 60 && this.tall >= 14) { pen.globalAlpha = 1; this.label(pen, row, x, wide, top, color); }
      }
      pen.globalAlpha = 1;
      return;
    }
    const busyUntil = (time) => {
      const next = firstWhere(own.length, (i) => this.rows.start[own[i]] >= time);
      return next ? lane.busy[next] - Math.max(0, this.endOf(own[next - 1]) - time) : 0;
    };
    let before = busyUntil(this.from);
    for (let x = this.left; x < width; x++) {
      const time = this.from + (x + 1 - this.left) / this.scale, until = busyUntil(time), share = Math.min(1, (until - before) * this.scale);
      before = until;
      if (share <= 0) continue;
      pen.fillStyle = this.colorOf(own[Math.max(0, firstWhere(own.length, (i) => this.rows.start[own[i]] >= time - 0.5 / this.scale) - 1)]);
      const tall = Math.max(1, (this.tall - 4) * share);
      pen.fillRect(x, top + 2 + (this.tall - 4 - tall), 1, tall);
    }
  }

  label(pen, row, x, wide, top, color) {
    const name = shortened(this.rows.name(row), Math.floor(wide / 7));
    pen.fillStyle = color("--ground"); pen.globalAlpha = 0.8;
    pen.fillRect(x + 2, top + 4, Math.min(wide - 6, pen.measureText(name).width + 4), this.tall - 8);
    pen.globalAlpha = 1; pen.fillStyle = color("--ink");
    pen.fillText(name, x + 4, top + this.tall / 2, wide - 8);
  }

  drawMarks(pen, color) {
    const visible = (row) => this.laneOf.has(row) && this.endOf(row) >= this.from && this.rows.start[row] <= this.to;
    pen.strokeStyle = color("--path"); pen.lineWidth = 2;
    for (const row of this.path) {
      if (!visible(row)) continue;
      const x = Math.max(this.left, this.x(this.rows.start[row]));
      pen.strokeRect(x, this.laneOf.get(row) * this.tall + 2, Math.max(2, this.x(Math.min(this.to, this.endOf(row))) - x), this.tall - 4);
    }
    pen.fillStyle = color("--bad");
    for (const row of this.troubles) {
      if (!visible(row)) continue;
      const x = this.x(Math.min(this.to, this.endOf(row))), top = this.laneOf.get(row) * this.tall, tall = Math.min(9, this.tall);
      pen.beginPath(); pen.moveTo(x - tall / 2, top); pen.lineTo(x + tall / 2, top); pen.lineTo(x, top + tall); pen.fill();
    }
  }

  drawCounts(pen, top, width, color) {
    const tall = 60, upTo = (times, time) => firstWhere(times.length, (i) => times[i] > time);
    const running = [], waiting = [];
    for (let x = this.left; x < width; x++) {
      const time = this.from + (x - this.left) / this.scale, started = upTo(this.starts, time);
      running.push(started - upTo(this.ends, time));
      waiting.push(Math.max(0, upTo(this.readies, time) - started));
    }
    const most = (numbers) => Math.max(1, numbers.reduce((a, b) => Math.max(a, b), 0)), highest = [most(running), most(waiting)];
    pen.fillStyle = color("--c4"); pen.globalAlpha = 0.35;
    waiting.forEach((number, i) => { const y = (number / highest[1]) * tall; pen.fillRect(this.left + i, top + tall - y, 1, y); });
    pen.globalAlpha = 1; pen.strokeStyle = color("--ink"); pen.lineWidth = 1.5; pen.beginPath();
    running.forEach((number, i) => pen.lineTo(this.left + i, top + tall - (number / highest[0]) * tall));
    pen.stroke();
    pen.fillStyle = color("--soft");
    pen.fillText(`≤ ${numberWords(highest[0])} run`, 2, top + 12, this.left - 4);
    pen.fillText(`≤ ${numberWords(highest[1])} wait`, 2, top + 30, this.left - 4);
    const steps = Math.max(2, Math.floor((width - this.left) / 140));
    for (let step = 0; step <= steps; step++) {
      pen.textAlign = step === 0 ? "left" : step === steps ? "right" : "center";
      pen.fillText(timeWords(this.from + ((this.to - this.from) * step) / steps), this.left + ((width - this.left) * step) / steps, top + tall + 14);
    }
    pen.textAlign = "left";
  }

  rowAt(event) {
    const place = this.canvas.getBoundingClientRect(), lane = this.lanes[Math.floor((event.clientY - place.top) / this.tall)];
    if (!lane || event.clientX - place.left < this.left) return -1;
    const time = this.from + (event.clientX - place.left - this.left) / this.scale, slack = 2 / this.scale;
    const next = firstWhere(lane.rows.length, (i) => this.rows.start[lane.rows[i]] > time + slack);
    return next && this.endOf(lane.rows[next - 1]) >= time - slack ? lane.rows[next - 1] : -1;
  }

  listen() {
    const canvas = this.canvas, timeAt = (event) => this.from + (event.clientX - canvas.getBoundingClientRect().left - this.left) / this.scale;
    let held = null;
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event)); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, from: this.from, to: this.to, moved: false }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) { const row = this.rowAt(event); this.hooks.point(row); return; }
      const by = (held.x - event.clientX) / this.scale;
      held.moved = held.moved || Math.abs(held.x - event.clientX) > 3;
      if (held.moved) this.show(held.from + by, held.to + by);
    });
    canvas.addEventListener("pointerup", (event) => { const row = this.rowAt(event); if (held && !held.moved && row >= 0) this.hooks.choose(row); held = null; });
    const keys = { ArrowLeft: "left", ArrowRight: "right", "+": "in", "=": "in", "-": "out", 0: "all", Home: "all" };
    canvas.addEventListener("keydown", (event) => { if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); this.act(keys[event.key]); } });
  }
}
