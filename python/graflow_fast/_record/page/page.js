// The page: puts the facts of a run into its sections, and keeps filter, order and chosen task in the address.
const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);

function explained(rows, row) {
  const where = rows.worker[row] === NOBODY ? "" : rows.worker[row] < 0 ? " in the calling thread" : ` on worker ${rows.worker[row]}`;
  const name = shortened(rows.name(row)), status = STATUSES[rows.outcome[row]], by = shortened(rows.releasedBy(row));
  const words = [`${name}, attempt ${rows.attempt[row]}: ${status}${where}.`];
  if (!Number.isNaN(rows.ready[row])) words.push(`Ready at ${timeWords(rows.ready[row])}${by ? `, when ${by} ended` : ""}.`);
  if (!Number.isNaN(rows.start[row])) words.push(`Waited ${timeWords(rows.waited[row])}, started at ${timeWords(rows.start[row])}` + (Number.isNaN(rows.end[row]) ? "; its end is not in the record." : `, ran ${timeWords(rows.ran[row])}.`));
  return words.join(" ");
}

function showFailures(rows, table) {
  const shown = facts.failures.map((row) => {
    const made = element("details"), [kind, message, trace] = rows.errors[row] || ["failed", "", ""];
    made.append(element("summary", shortened(`${rows.name(row)}: ${kind}: ${message}`, 300)), element("pre", trace || "(no traceback was kept)"));
    return made;
  });
  if (shown.length) shown[0].open = true;
  find("failures").replaceChildren(...shown);
}

function showPath(rows, choose) {
  const [table] = find("path").getElementsByTagName("table"), total = facts.wall || 1;
  find("path-says").textContent = facts.path.length ? `With any number of workers the run would have taken ${timeWords(facts.pathLength)} at least; it took ${timeWords(facts.wall)}.` : "No task ran.";
  const steps = facts.path.slice(0, 500);
  fillTable(table, [["Task"], ["Function"], ["Waited", true], ["Ran", true], ["Share of the run", true]],
    steps.map(([row, waited, ran]) => ({ cells: [rows.name(row), rows.fn(row), timeWords(waited), timeWords(ran), shareWords(ran / total)], choose: () => choose(row) })));
  if (facts.path.length > steps.length) find("path-says").textContent += ` The first ${steps.length} of ${numberWords(facts.path.length)} steps:`;
}

function showFunctions(rows, filter) {
  const [table] = find("functions").getElementsByTagName("table");
  fillTable(table, [["Function"], ["Attempts", true], ["Total", true], ["Mean", true], ["Median", true], ["95 %", true], ["Longest", true], ["Tried again", true], ["Failed", true], ["Times"]],
    facts.functions.slice(0, 500).map(([name, attempts, retries, failures, total, mean, median, most, longest, histogram]) => ({
      cells: [name, numberWords(attempts), timeWords(total), timeWords(mean), timeWords(median), timeWords(most), timeWords(longest), numberWords(retries), numberWords(failures), bars(histogram, `Most took about ${timeWords(median)}`)],
      choose: () => filter(`fn:"${name}"`), mark: failures ? "failed-line" : "",
    })));
  const wall = facts.wall || 1;
  fillTable(find("workers"), [["Worker"], ["Attempts", true], ["Busy", true], ["Share", true], ["Before its first task", true], ["Between tasks", true], ["After its last", true]],
    facts.workers.map(([worker, attempts, busy, first, last]) => ({ cells: [worker < 0 ? "calling thread" : worker, numberWords(attempts), timeWords(busy), shareWords(busy / wall), timeWords(first), timeWords(Math.max(0, last - first - busy)), timeWords(Math.max(0, wall - last))] })));
}

function showAbout() {
  const list = find("about").querySelector("dl");
  for (const [name, value] of facts.about) list.append(element("dt", name), element("dd", shortened(value, 2000)));
}

function showDetail(rows, row) {
  const box = find("detail"), parts = [element("p", explained(rows, row))];
  const others = [];
  for (let other = 0; other < rows.count && others.length < 50; other++) if (rows.node[other] === rows.node[row] && other !== row) others.push(other);
  if (rows.errors[row]) parts.push(element("pre", rows.errors[row][2] || rows.errors[row].slice(0, 2).join(": ")));
  if (others.length) {
    const list = element("ul");
    list.append(...others.map((other) => element("li", explained(rows, other))));
    parts.push(element("p", "Other attempts and rounds of it:"), list);
  }
  box.replaceChildren(...parts);
}

async function main() {
  const rows = await unpack(facts.layout, find("rows").textContent);
  find("rows").remove();
  const colors = new Map(facts.functions.slice(0, 8).map(([name], at) => [name, at])), colorOfNode = new Uint8Array(rows.names.length);
  rows.names.forEach((name, node) => { colorOfNode[node] = colors.get(rows.functions[rows.functionOf[node]] || name) ?? 8; });
  const state = { filter: "", sort: "", down: false, row: -1 };
  let table, timeline;

  const keep = () => {
    const words = new URLSearchParams();
    if (state.filter) words.set("filter", state.filter);
    if (state.sort) { words.set("sort", state.sort); words.set("down", state.down ? "1" : "0"); }
    if (state.row >= 0) words.set("row", state.row);
    history.replaceState(null, "", `#${words}`);
  };
  const choose = (row) => { state.row = table.chosen = row; showDetail(rows, row); table.draw(); keep(); };
  const apply = () => {
    let order, holds = null;
    try {
      find("filter-says").textContent = "";
      if (state.filter.trim()) holds = conditionOf(state.filter, rows);
    } catch (error) {
      find("filter-says").textContent = error.message;
      return;
    }
    if (holds) {
      order = new Uint32Array(rows.count);
      let count = 0;
      for (let row = 0; row < rows.count; row++) if (holds(row)) order[count++] = row;
      order = order.slice(0, count);
    } else order = Uint32Array.from({ length: rows.count }, (_, row) => row);
    timeline.matches = holds;
    table.show(order, state.sort, state.down);
    find("shown").textContent = holds ? `${numberWords(order.length)} of ${numberWords(rows.count)} rows` : `${numberWords(rows.count)} rows`;
    timeline.show(timeline.from, timeline.to);
    keep();
  };
  const filter = (text) => { state.filter = find("filter").value = text; apply(); };
  const read = () => {
    const words = new URLSearchParams(location.hash.slice(1));
    if (![...words.keys()].some((key) => ["filter", "sort", "row"].includes(key))) return false;
    Object.assign(state, { filter: words.get("filter") || "", sort: words.get("sort") || "", down: words.get("down") === "1", row: Number(words.get("row") ?? -1) });
    find("filter").value = state.filter;
    return true;
  };

  table = new TaskTable(rows, { choose, sort: (key, down) => { Object.assign(state, { sort: key, down }); apply(); } });
  timeline = new Timeline(find("lanes"), rows, facts, {
    choose: (row) => { choose(row); find("detail").scrollIntoView({ block: "nearest" }); },
    color: (row) => colorOfNode[rows.node[row]],
    point: (row) => { find("under").textContent = row < 0 ? "\u00a0" : explained(rows, row); },
    span: (text) => { find("span").textContent = text; },
  });
  find("lanes").setAttribute("aria-label", `Timeline. ${facts.verdict.join(" ")}`);
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => timeline.act(button.dataset.do));
  find("legend").append(...facts.functions.slice(0, 8).map(([name], at) => {
    const entry = element("span"), patch = element("i");
    patch.style.background = `var(--c${at})`;
    entry.append(patch, shortened(name, 60));
    return entry;
  }));
  showFailures(rows);
  showPath(rows, choose);
  showFunctions(rows, filter);
  showAbout();
  if (facts.leftOut) { find("left-out").textContent = facts.leftOut; find("left-out").hidden = false; }
  let pause;
  find("filter").addEventListener("input", (event) => { clearTimeout(pause); state.filter = event.target.value; pause = setTimeout(apply, rows.count > 50000 ? 150 : 0); });
  for (const link of document.querySelectorAll("[data-filter]")) link.addEventListener("click", (event) => { event.preventDefault(); filter(link.dataset.filter); find("tasks").scrollIntoView(); });
  for (const link of document.querySelectorAll("nav a, .skip")) link.addEventListener("click", (event) => { event.preventDefault(); document.querySelector(link.getAttribute("href")).scrollIntoView(); find(link.getAttribute("href").slice(1)).querySelector("[tabindex], button, a")?.focus({ preventScroll: true }); });
  find("save").addEventListener("click", () => {
    const link = element("a", null, { href: URL.createObjectURL(new Blob([table.csv()], { type: "text/csv" })), download: "tasks.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  addEventListener("hashchange", () => { if (read()) apply(); });
  read();
  apply();
  if (state.row >= 0 && state.row < rows.count) choose(state.row);
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  const note = element("p", `This page could not be drawn: ${error.message}. It needs a browser of 2023 or newer.`, { className: "note" });
  find("verdict").append(note);
  throw error;
});
