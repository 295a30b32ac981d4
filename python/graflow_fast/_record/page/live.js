// A run that is served while it goes: says each second how far it is, and shows the page anew when nobody is using it.
const REST = 2000;
let touched = -REST;

async function look() {
  const note = find("live") || find("headline").parentNode.insertBefore(element("p", "", { id: "live", role: "status" }), find("headline").nextSibling);
  try {
    const state = await (await fetch("state", { cache: "no-store" })).json();
    if (state.error) throw new Error(state.error);
    note.textContent = state.running ? `live: ${numberWords(state.rows)} rows after ${timeWords(state.seconds)}` : `${state.outcome}: ${numberWords(state.rows)} rows`;
    const isNews = state.rows !== facts.live.rows || state.running !== facts.live.running;
    if (isNews && performance.now() - touched > REST) return location.reload();
  } catch (error) {
    note.textContent = `not live: ${error.message}`;
  }
  setTimeout(look, 1000);
}

for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "input"]) addEventListener(kind, () => { touched = performance.now(); }, { passive: true, capture: true });
look();
