// What every page does with a script: times in the viewer's zone, the keyboard, buttons that copy, folds that fetch what they hold.
// Everything can be read without it. Pages that are fetched were escaped by the collector; scripts in them never run.

document.documentElement.classList.add("has-script");

const zone = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

function clock(moment) {
  const part = Object.fromEntries(zone.formatToParts(moment).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
}

function ago(moment) {
  const seconds = (Date.now() - moment) / 1000;
  if (seconds < 0) return clock(moment);
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

// Says times in the viewer's zone; UTC with all digits stands in the title.
export function tellTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    if (time.dataset.form === "ago") {
      time.textContent = ago(moment);
      time.title = `${clock(moment)}, ${time.dateTime.replace("T", " ").replace("Z", "")} UTC`;
    } else {
      const said = clock(moment);
      time.textContent = time.dataset.form === "hour" ? said.slice(11) : said;
      time.title = `${time.dateTime.replace("T", " ").replace("Z", "")} UTC`;
    }
  }
  for (const time of root.querySelectorAll("[data-time]")) time.textContent = clock(new Date(time.dataset.time)).slice(11);
}

export function say(words) {
  document.getElementById("said").textContent = words;
}

// The page behind an address; a page that tells of a failure is a page too.
export async function fetchPage(address, signal) {
  const answer = await fetch(address, { signal, headers: { "x-part": "1" } });
  return { page: new DOMParser().parseFromString(await answer.text(), "text/html"), address: answer.url, ok: answer.ok, missing: answer.status === 404 };
}

export function adopt(part) {
  const adopted = document.adoptNode(part);
  settle(adopted);
  return adopted;
}

async function fill(fold) {
  const link = fold.querySelector("a");
  link.setAttribute("aria-busy", "true");
  try {
    const { page } = await fetchPage(link.href);
    const part = page.getElementById(fold.dataset.part) ?? page.querySelector("main > *");
    part.removeAttribute("id"); // several folds may hold the same part of several pages
    link.closest("p").replaceWith(adopt(part));
    fold.dispatchEvent(new CustomEvent("filled", { bubbles: true }));
  } catch {
    link.removeAttribute("aria-busy"); // the collector is gone: the link stays, and so does the wish
    fold.addEventListener("toggle", opened);
  }
}

function opened(event) {
  if (event.target.open) {
    event.target.removeEventListener("toggle", opened);
    fill(event.target);
  }
}

// Called for the page, and for every part that is put into it later.
export function settle(root) {
  tellTimes(root);
  for (const fold of root.querySelectorAll("details[data-part]")) fold.addEventListener("toggle", opened);
}

const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]") || document.querySelector("dialog[open]");

// The rows that j and k walk through are told by the page: links with the class `main`.
function walk(step) {
  const rows = [...document.querySelectorAll("a.main")].filter((row) => row.offsetParent);
  if (!rows.length) return;
  const now = rows.indexOf(document.activeElement);
  const next = rows[now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + step, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => walk(1),
  k: () => walk(-1),
  "/": () => { const field = document.querySelector('input[type="search"]'); field?.focus(); field?.select(); },
  "?": () => document.getElementById("help").showModal(),
  u: () => document.querySelector("[data-up]")?.click(),
};

// What was opened to be asked is left without an answer; whoever was inside stands where they came from.
function shut(pop) {
  const held = pop.contains(document.activeElement);
  pop.open = false;
  if (held) pop.querySelector("summary").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.pop[open]").forEach(shut);
  if (event.key === "Escape" && event.target.matches?.('input[type="search"]')) event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || event.defaultPrevented) return;
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = button.dataset.copy.startsWith("/") ? new URL(button.dataset.copy, location.href).href : button.dataset.copy;
    try { await navigator.clipboard.writeText(text); } catch { return say("The browser does not let this page copy"); }
    button.classList.add("done");
    say("Copied");
    setTimeout(() => button.classList.remove("done"), 1500);
  }
  if (event.target.closest("[data-shut]")) shut(event.target.closest("details"));
  for (const pop of document.querySelectorAll("details.pop[open]")) if (!pop.contains(event.target)) pop.open = false;
});

document.addEventListener("focusin", (event) => {
  document.querySelector("tr.here")?.classList.remove("here");
  event.target.closest?.("tr")?.classList.add("here");
});

document.getElementById("help-button").addEventListener("click", keys["?"]);
setInterval(() => tellTimes(document), 30_000);
settle(document);
