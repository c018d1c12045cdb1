// The list: search while typing, and news that never move what is being read. A row that is shown is brought up to date where it stands;
// what else is new is told by a button, and shown when it is asked for.
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

function renew(page) {
  const fresh = new Map([...page.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
  let others = 0;
  for (const row of document.querySelectorAll("tr[data-key]")) {
    const next = fresh.get(row.dataset.key);
    fresh.delete(row.dataset.key);
    if (!next || next.dataset.revision === row.dataset.revision) continue;
    row.dataset.revision = next.dataset.revision;
    const cells = [...next.cells];
    tellTimes(next);
    [...row.cells].forEach((cell, place) => {
      if (cell.innerHTML === cells[place].innerHTML) return;
      if (cell.contains(document.activeElement)) cell.querySelector(".main").textContent = cells[place].querySelector(".main").textContent;
      else cell.replaceWith(document.adoptNode(cells[place]));
    });
    row.classList.remove("fresh");
    void row.offsetWidth; // the animation begins again
    row.classList.add("fresh");
  }
  others = fresh.size;
  const news = document.querySelector(".news");
  if (others && news) {
    news.hidden = false;
    news.querySelector("a").textContent = others === 1 ? "1 session is new here" : `${others} sessions are new here`;
  }
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
      if (!document.querySelector("#results .empty")) renew(page);
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
