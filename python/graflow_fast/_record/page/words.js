// Times and numbers as people write them, as in words.py.
function timeWords(seconds) {
  if (Number.isNaN(seconds)) return "";
  if (seconds < 0.00095) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.0095) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 0.0995) return `${Math.round(seconds * 1e3)} ms`;
  const tenths = Math.round(seconds * 10);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  if (tenths < 36000) return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
  const whole = Math.round(seconds), days = Math.floor(whole / 86400), two = (number) => String(number).padStart(2, "0");
  const clock = `${Math.floor((whole % 86400) / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days ? `${days} day${days > 1 ? "s" : ""} ${clock}` : clock;
}

const numberWords = (number) => (Math.abs(number) < 10000 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/g, "\u00a0"));
const shareWords = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const workerWords = (worker) => (worker === NOBODY ? "" : worker < 0 ? "caller" : String(worker));
const shortened = (text, most = 200) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
