// While a person's next session is prepared, this page looks again by itself, without a reload: that
// would take the focus, and the place in the page, from whoever is reading.

const LOOK_AGAIN_MS = 10_000;

async function look() {
  const note = document.querySelector("[data-next]");
  try {
    const response = await fetch(location.href);
    // Our own template, with every word escaped; a parsed document runs no script.
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const now = fresh.querySelector("[data-next]");
    if (response.ok && now && now.dataset.next !== note.dataset.next) {
      note.dataset.next = now.dataset.next;
      note.replaceChildren(...now.children);
      return;
    }
  } catch {
    // No connection: the next look may have one.
  }
  setTimeout(look, LOOK_AGAIN_MS);
}

setTimeout(look, LOOK_AGAIN_MS);
