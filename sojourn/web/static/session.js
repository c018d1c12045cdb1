// One session: a timeline that zooms, and news that are put where they belong without moving what is being read.
import { adopt, fetchPage, say } from "./page.js";
import "./waterfall.js";

const MOST = 200;

function zoomable(timeline) {
  const track = timeline.querySelector(".track");
  const picture = track.querySelector(".lanes");
  let zoom = 1;

  // The moment below `at` (a place in the window of the track) stays where it is.
  function to(wanted, at = track.clientWidth / 2) {
    const next = Math.min(Math.max(wanted, 1), MOST);
    const place = (track.scrollLeft + at) / (track.clientWidth * zoom);
    zoom = next;
    picture.style.width = `${zoom * 100}%`;
    track.scrollLeft = place * track.clientWidth * zoom - at;
    timeline.dataset.zoomed = zoom > 1 ? "yes" : "";
  }

  timeline.addEventListener("click", (event) => {
    const how = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (how) to({ in: zoom * 1.6, out: zoom / 1.6, whole: 1 }[how]);
  });
  // A wheel alone scrolls the page, as everywhere; with Ctrl, or two fingers, it zooms.
  track.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) return;
    event.preventDefault();
    to(zoom * Math.exp(-event.deltaY / 300), event.clientX - track.getBoundingClientRect().left);
  }, { passive: false });
  track.addEventListener("dblclick", (event) => to(zoom * 2, event.clientX - track.getBoundingClientRect().left));
  track.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      "+": () => to(zoom * 1.6), "=": () => to(zoom * 1.6), "-": () => to(zoom / 1.6), "0": () => to(1),
      ArrowLeft: () => { track.scrollLeft -= track.clientWidth / 5; }, ArrowRight: () => { track.scrollLeft += track.clientWidth / 5; },
      Home: () => { track.scrollLeft = 0; }, End: () => { track.scrollLeft = picture.clientWidth; },
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  let pulled;
  track.addEventListener("pointerdown", (event) => { if (event.button === 0 && event.pointerType === "mouse") pulled = { x: event.clientX, left: track.scrollLeft, far: false }; });
  addEventListener("pointermove", (event) => {
    if (!pulled) return;
    if (Math.abs(event.clientX - pulled.x) > 4) { pulled.far = true; track.classList.add("pulled"); }
    if (pulled.far) track.scrollLeft = pulled.left - (event.clientX - pulled.x);
  });
  addEventListener("pointerup", () => { setTimeout(() => { pulled = undefined; track.classList.remove("pulled"); }); });
  track.addEventListener("click", (event) => { if (pulled?.far) event.preventDefault(); }, { capture: true });
  track.addEventListener("dragstart", (event) => event.preventDefault());
  return { get zoom() { return zoom; }, to, get left() { return track.scrollLeft; }, set left(value) { track.scrollLeft = value; } };
}

let timeline = document.getElementById("timeline");
let zoomed = timeline && zoomable(timeline);

// What is shown is brought up to date: the head and the timeline as they are, turns one by one, new ones behind the last.
function renew(page) {
  const head = page.getElementById("head");
  if (head.dataset.state === document.getElementById("head").dataset.state) return;
  document.getElementById("head").replaceWith(adopt(head));
  const next = page.getElementById("timeline");
  if (next) {
    const held = timeline?.contains(document.activeElement);
    const { zoom, left } = zoomed ?? { zoom: 1, left: 0 };
    adopt(next);
    if (timeline) timeline.replaceWith(next); else document.querySelector(".columns").before(next);
    timeline = next;
    zoomed = zoomable(timeline);
    zoomed.to(zoom);
    zoomed.left = left;
    if (held) timeline.querySelector(".track").focus({ preventScroll: true });
  }
  const side = page.querySelector(".side");
  if (side && !document.querySelector(".side details[open]")) document.querySelector(".side").replaceWith(adopt(side));
  const story = document.getElementById("story");
  let last = story.querySelector("h2");
  let added = 0;
  for (const fresh of [...page.querySelectorAll("#story > :is(.turn, .logs, .cut)")]) {
    const old = fresh.id ? document.getElementById(fresh.id) : [...story.querySelectorAll(".logs")].find((run) => run.dataset.first === fresh.dataset.first);
    if (!old) { last.after(adopt(fresh)); last = fresh; added += 1; continue; }
    if (old.dataset.state !== fresh.dataset.state && !old.querySelector("details[open]") && !old.contains(document.activeElement)) {
      old.replaceWith(adopt(fresh));
      last = fresh;
    } else last = old;
  }
  if (added) say(added === 1 ? "One more turn" : `${added} more turns`);
}

// What is being read stays, but nothing can be done with it any more.
function gone() {
  const head = document.getElementById("head");
  if (head.dataset.state === "gone") return;
  head.dataset.state = "gone";
  const told = document.createElement("strong");
  told.className = "bad";
  told.textContent = "deleted, by somebody or because of its age";
  head.querySelector(".states").replaceChildren(told);
  head.querySelector(".actions").replaceChildren();
  say("This session was deleted");
}

let stream;
let busy = false;
let again = false;

async function look() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const { page, ok, missing } = await fetchPage(location.pathname + location.search);
    if (missing) gone();
    else if (ok && document.getElementById("head").dataset.state === "gone") location.reload(); // another one of the same id
    else if (ok && page.getElementById("head") && !document.querySelector("#head details[open]")) renew(page);
  } catch { /* the stream tells when the collector is back */ }
  setTimeout(() => { busy = false; if (again) { again = false; look(); } }, 1000);
}

function listen() {
  if (stream || document.visibilityState === "hidden") return;
  const head = document.getElementById("head");
  stream = new EventSource(head.dataset.live);
  stream.addEventListener("change", look);
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") { stream?.close(); stream = undefined; } else listen();
});
listen();
