// A waterfall: branches that close, spans that come when they are scrolled to, and the chosen one beside them. Every row is a link that
// leads to the same without a script.
import { adopt, fetchPage, say } from "./page.js";

const list = () => document.getElementById("spans");
const depth = (row) => Number(row.dataset.depth);

function below(row) {
  const rows = [];
  for (let next = row.nextElementSibling; next && depth(next) > depth(row); next = next.nextElementSibling) rows.push(next);
  return rows;
}

// Opening shows what is below, but not what hangs on a branch that is closed itself.
function fold(row, closed) {
  if (!row.querySelector(".fold") || row.classList.contains("closed") === closed) return false;
  row.classList.toggle("closed", closed);
  row.querySelector("a").setAttribute("aria-expanded", String(!closed));
  let hidden = Infinity;
  for (const child of below(row)) {
    child.hidden = closed || depth(child) > hidden;
    if (!child.hidden) hidden = child.classList.contains("closed") ? depth(child) : Infinity;
  }
  return true;
}

async function choose(link) {
  const row = link.closest("li");
  document.querySelector(".span.chosen")?.classList.remove("chosen");
  row.classList.add("chosen");
  try {
    const { page, ok } = await fetchPage(`${link.href}&only=span`);
    if (!ok || !row.classList.contains("chosen")) return;
    document.getElementById("detail").replaceWith(adopt(page.getElementById("detail")));
    history.replaceState(null, "", link.href);
    row.scrollIntoView({ block: "nearest" });
    if (matchMedia("(max-width: 70rem)").matches) document.getElementById("detail").scrollIntoView({ block: "start" });
    say("The span is shown");
  } catch {
    location.href = link.href;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".waterfall .main, .spans .main");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = link.closest("li");
  if (event.target.closest(".fold")) {
    event.preventDefault();
    fold(row, !row.classList.contains("closed"));
  } else if (document.getElementById("detail")) {
    event.preventDefault();
    choose(link);
  }
});

document.addEventListener("click", (event) => {
  const how = event.target.closest("[data-fold]")?.dataset.fold;
  if (how) for (const row of list().querySelectorAll(":scope > li")) fold(row, how === "all");
});

function step(row, name) {
  let next = row[name];
  while (next?.hidden) next = next[name];
  next?.querySelector("a").focus();
}

document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.(".span");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = {
    ArrowDown: () => step(row, "nextElementSibling"),
    ArrowUp: () => step(row, "previousElementSibling"),
    ArrowLeft: () => {
      if (fold(row, true)) return;
      for (let up = row.previousElementSibling; up; up = up.previousElementSibling) {
        if (depth(up) < depth(row)) { up.querySelector("a").focus(); break; }
      }
    },
    ArrowRight: () => { if (!fold(row, false)) step(row, "nextElementSibling"); },
    Home: () => row.parentElement.querySelector("a").focus(),
    End: () => [...row.parentElement.querySelectorAll("li:not([hidden]) a")].at(-1).focus(),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

// Further spans are fetched as soon as the link to them comes near.
async function more(link) {
  watcher.unobserve(link);
  link.setAttribute("aria-busy", "true");
  try {
    const { page } = await fetchPage(link.href);
    list().append(...adopt(page.getElementById("spans")).children);
    const next = page.querySelector(".waterfall .more a");
    if (next) { link.closest("p").replaceWith(adopt(next.closest("p"))); watch(); } else link.closest("p").remove();
  } catch {
    link.removeAttribute("aria-busy");
  }
}

const watcher = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) more(target);
}, { rootMargin: "800px" });

function watch() {
  const link = document.querySelector(".waterfall .more a");
  if (link) watcher.observe(link);
}

watch();
document.querySelector(".span.chosen")?.scrollIntoView({ block: "center" });
