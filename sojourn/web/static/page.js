// A fold that holds nothing but a link fetches what the link leads to when it is opened, and shows the part that `data-part` names.
// Without this the link is there to be followed. The page that is fetched was escaped by the collector; scripts in it never run.
"use strict";

async function fill(fold) {
  const link = fold.querySelector("a");
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById(fold.dataset.part) ?? page.querySelector("main > *");
    fold.querySelector("p").replaceWith(document.adoptNode(part));
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

for (const fold of document.querySelectorAll("details[data-part]")) {
  fold.addEventListener("toggle", opened);
}
