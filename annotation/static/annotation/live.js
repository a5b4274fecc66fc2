// Keeps the "Now" part of a project's page up to date. Without it the page shows the state at load.
// The fragment comes from our own server with every word escaped; it is read as a document of its
// own and only what differs is changed, so focus, open details and the reader's place stay.

const live = document.querySelector("#live");
const current = document.querySelector("#live-now");
const connection = document.querySelector("#live-connection");
const news = document.querySelector("#live-news");

const PACE_MS = { quick: 3_000, slow: 30_000 };
const TIMEOUT_MS = 15_000;
const LONGEST_MS = 60_000;
// What the reader does to an element is theirs.
const KEPT = { DETAILS: "open" };

const state = () => current.firstElementChild.dataset;
const resultsAtLoad = state().results;
let etag, timer, busy = false, failures = 0, lastSeen = new Date();

connection.querySelector("a").hidden = true;

const clock = () => lastSeen.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

function tell(text) {
  const line = connection.firstElementChild;
  if (line.textContent !== text) line.textContent = text;
}

/* --- Changing only what differs ------------------------------------------------------------ */

function updateAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && KEPT[old.tagName] !== name) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

/** Return the child that a fresh one continues: the one of its id, or else the one in its place. */
function counterpart(parent, fresh, place) {
  if (fresh.id) return [...parent.children].find((child) => child.id === fresh.id);
  return place?.id ? undefined : place;
}

function updateChildren(old, fresh) {
  const ids = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !ids.has(child.id)) child.remove();
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = counterpart(old, child, place);
    if (!same || same.nodeName !== child.nodeName) {
      old.insertBefore(child, place);
      continue;
    }
    while (place !== same && place && !place.id) {
      const next = place.nextSibling; // what stood before it went
      place.remove();
      place = next;
    }
    if (same !== place) old.insertBefore(same, place);
    else place = place.nextSibling;
    update(same, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType === Node.ELEMENT_NODE) {
    updateAttributes(old, fresh);
    updateChildren(old, fresh);
  } else old.nodeValue = fresh.nodeValue;
}

/* --- Asking -------------------------------------------------------------------------------- */

class SignedOut extends Error {}

async function ask(url, options) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { redirect: "manual", cache: "no-store", signal, ...options });
  return response;
}

async function refresh() {
  const response = await ask(live.dataset.url, { headers: etag ? { "If-None-Match": etag } : {} });
  if (response.type === "opaqueredirect") throw new SignedOut();
  if (response.status !== 304) {
    if (!response.ok) throw new Error(response.statusText);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    // A page that is not ours: a hotel's login may answer in the server's place.
    if (!fresh.querySelector("#live-state")) throw new Error("not our page");
    updateChildren(current, fresh.body);
    etag = response.headers.get("ETag");
    news.hidden = state().results === resultsAtLoad || state().results.endsWith("busy");
  }
  lastSeen = new Date();
}

async function poll() {
  if (busy || document.hidden) return;
  busy = true;
  clearTimeout(timer);
  let wait;
  try {
    await refresh();
    failures = 0;
    tell(`As of ${clock()}.`);
    wait = PACE_MS[state().pace];
  } catch (error) {
    failures += 1;
    const reason = error instanceof SignedOut ? "signedOut" : "lost";
    tell(`${connection.dataset[reason]} ${clock()}.`);
    wait = Math.min(PACE_MS.quick * 2 ** failures, LONGEST_MS);
  }
  busy = false;
  timer = setTimeout(poll, wait);
}

/** Ask for a preview in place; where that fails, the form is sent as any other. */
live.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.setAttribute("aria-disabled", "true");
  try {
    const response = await ask(form.action, { method: "POST", body: new FormData(form) });
    if (response.type !== "opaqueredirect") throw new Error(response.statusText);
    await poll();
  } catch {
    form.submit();
  }
  button.removeAttribute("aria-disabled");
});

document.addEventListener("visibilitychange", poll);
addEventListener("online", poll);
timer = setTimeout(poll, PACE_MS[state().pace]);
