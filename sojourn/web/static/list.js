// The list: search while typing, and news that never move what is being read. A row that is shown is brought up to date where it stands,
// also if it does not fit any more or is gone; what else is new is told by a button, and shown when it is asked for.
import { adopt, fetchPage, say, tellTimes } from "./page.js";

const form = document.getElementById("search");
const field = form.querySelector('input[type="search"]');
const mark = (on) => document.getElementById("live")?.classList.toggle("on", on); // it stands in a part that is replaced
let asked = new AbortController();
let waiting;

function address() {
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  return "/sessions" + (given.length ? "?" + new URLSearchParams(given) : "");
}

function put(page, names = ["results", "filters"]) {
  for (const name of names) {
    const part = page.getElementById(name);
    if (part) document.getElementById(name).replaceWith(adopt(part));
  }
  mark(stream?.readyState === EventSource.OPEN);
  const shown = document.querySelectorAll("tr[data-key]").length;
  say(shown ? `${shown} sessions` : "No session fits");
}

async function show(where) {
  asked.abort();
  asked = new AbortController();
  document.getElementById("results").setAttribute("aria-busy", "true");
  try {
    const { page, ok } = await fetchPage(where, asked.signal);
    history.replaceState(null, "", where);
    if (ok) put(page);
    else document.getElementById("results").replaceChildren(adopt(page.querySelector("main > *")));
    document.getElementById("results").removeAttribute("aria-busy");
    listen();
  } catch (error) {
    if (error.name !== "AbortError") say("The collector does not answer");
  }
}

form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); show(address()); });
field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => show(address()), 150); });

// A metadata filter is `meta.KEY=VALUE`, which no plain form can say.
document.addEventListener("input", (event) => {
  const fields = event.target.closest("#new-meta")?.querySelectorAll("input");
  if (fields) fields[1].name = fields[0].value ? `meta.${fields[0].value}` : "";
});
document.addEventListener("submit", (event) => {
  for (const empty of event.target.querySelectorAll(".pop input, .pop select")) empty.disabled = empty.value === "";
});

const rowsOf = (page) => new Map([...page.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));

function update(row, next) {
  if (next.dataset.revision === row.dataset.revision) return;
  row.dataset.revision = next.dataset.revision;
  const cells = [...next.cells];
  tellTimes(next);
  [...row.cells].forEach((cell, place) => {
    if (cell.innerHTML === cells[place].innerHTML) return;
    if (cell.contains(document.activeElement)) cell.querySelector(".main").textContent = cells[place].querySelector(".main").textContent;
    else cell.replaceWith(document.adoptNode(cells[place]));
  });
  row.classList.remove("gone", "fresh");
  void row.offsetWidth; // the animation begins again
  row.classList.add("fresh");
}

function gone(row) {
  if (row.classList.contains("gone")) return;
  row.dataset.revision = "gone";
  row.classList.add("gone");
  const told = document.createElement("span");
  told.className = "state";
  told.title = "deleted, by somebody or because of its age";
  told.textContent = "gone";
  row.querySelector(".of-state").replaceChildren(told);
  say("A session of this list is gone");
}

// Rows that are not among those of the page now may have changed so that others stand there, or be gone: they are asked for by their ids.
async function follow(rows) {
  while (rows.length) {
    const some = rows.splice(0, 50);
    const ids = some.map((row) => ["session_id", decodeURIComponent(row.dataset.key.split("?")[0].slice("/sessions/".length))]);
    const { page, ok } = await fetchPage("/sessions?" + new URLSearchParams([...ids, ["limit", 1000]]));
    const found = rowsOf(page);
    for (const row of some) {
      const next = found.get(row.dataset.key);
      if (next) update(row, next);
      else if (ok && !page.querySelector('a[rel="next"]')) gone(row);
    }
  }
}

function renew(page) {
  const fresh = rowsOf(page);
  const others = [];
  for (const [key, row] of rowsOf(document)) {
    const next = fresh.get(key);
    fresh.delete(key);
    if (next) update(row, next); else others.push(row);
  }
  const news = document.querySelector(".news");
  if (fresh.size && news) {
    news.hidden = false;
    news.querySelector("a").textContent = fresh.size === 1 ? "1 session is new here" : `${fresh.size} sessions are new here`;
  }
  return follow(others);
}

document.addEventListener("click", (event) => {
  if (event.target.closest(".news a")) {
    event.preventDefault();
    show(event.target.href);
    scrollTo({ top: 0 });
  }
});

let stream;
let busy = false;
let again = false;

async function look() {
  if (busy) { again = true; return; }
  busy = true;
  const before = location.href;
  try {
    const { page, ok } = await fetchPage(location.pathname + location.search);
    if (ok && before === location.href) {
      if (!document.querySelector("#results .empty")) await renew(page);
      else if (page.querySelector("tr[data-key]")) put(page, ["results"]); // the filters may be in use
    }
  } catch { /* the stream tells when the collector is back */ }
  setTimeout(() => { busy = false; if (again) { again = false; look(); } }, 1000);
}

function listen() {
  if (stream || document.visibilityState === "hidden") return;
  stream = new EventSource(`/live?known=${document.getElementById("results").dataset.known ?? ""}`);
  stream.addEventListener("open", () => { mark(true); });
  stream.addEventListener("error", () => { mark(false); });
  stream.addEventListener("change", look);
}

// A page that nobody sees asks for nothing; seen again, it is told at once if something has come since.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") { stream?.close(); stream = undefined; mark(false); } else listen();
});
listen();
