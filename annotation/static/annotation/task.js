// Makes the task pages quick: answers are saved without a reload, the next page is there already,
// words open in place, keys work. The pages work without it, as forms. Text from the server is put
// into the page as text, never as HTML.

import { actOnDocument, showDocument, standDocument } from "./documents.js";
import { Outbox, setClockByPage, storage, tick } from "./queue.js";
import {
  KEYWORD_KEYS,
  actOnKeyword,
  digitOnKeyword,
  showKeyword,
  standKeyword,
} from "./keywords.js";

const TIMEOUT_MS = 15_000;
const PAGES_KEPT = 12;
const SIGN_MS = 20_000;
const RETRY_MS = 2_000;

let task = document.querySelector("#task");
const isKeyword = () => "keyword" in task.dataset;
const link = (rel) => document.querySelector(`.steps [rel=${rel}]`);

/* --- Saving ------------------------------------------------------------------------------- */

function say(state, detail) {
  const line = document.querySelector(".status");
  line.dataset.state = state;
  const text = line.dataset[state] ?? "";
  line.textContent = [text, detail].filter(Boolean).join(" ");
}

setClockByPage(task.dataset.now);

const outbox = new Outbox({
  task: task.dataset.queue,
  url: task.dataset.answers,
  say,
  position: () => Number(task.dataset.position),
  stand: (standing) => (isKeyword() ? standKeyword(page, standing) : standDocument(page, standing)),
  over: () => location.reload(), // the page says why
});

/** What the parts of a page work with. */
const page = {
  outbox,
  get task() {
    return task;
  },
};

// Another tab of the same browser: what it chose shows here at once.
addEventListener("storage", ({ key }) => key?.startsWith(`clime:${task.dataset.queue}:`) && paintPending());
addEventListener("pageshow", ({ persisted }) => persisted && outbox.send());
document.addEventListener("visibilitychange", () => document.hidden || outbox.send());

function paintPending() {
  for (const letter of outbox.pending) {
    if (isKeyword()) standKeyword.pending(page, letter);
    else standDocument.pending(page, letter);
  }
}

/* --- Signs of work ------------------------------------------------------------------------ */

let lastAct = 0;
let lastSign = 0;

/** Note that somebody is at work; the server counts the time between such signs. */
function act() {
  if (!document.querySelector("dialog.break").open) lastAct = tick();
}

for (const kind of ["pointerdown", "keydown", "scroll", "touchstart"]) {
  addEventListener(kind, act, { passive: true, capture: true });
}
setInterval(() => {
  if (lastAct <= lastSign) return;
  lastSign = lastAct;
  const on_document = !isKeyword();
  outbox.put(`sign:${lastAct}`, "sign", { on_document }, { at: lastAct });
}, SIGN_MS);

/* --- From page to page -------------------------------------------------------------------- */

const PARTS = ["header.bar", "main", "footer.beside"];
const kept = new Map(); // address → {title, parts}: pages seen before, and the one that comes next

const parts = (of) => PARTS.map((one) => of.querySelector(one));

async function load(address, headers = {}) {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(address, { headers, signal: aborter.signal });
    // Our own template, with every word escaped; a parsed document runs no script.
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!response.ok || response.redirected || !fresh.querySelector("#task")) return undefined;
    return { title: fresh.title, parts: parts(fresh) };
  } finally {
    clearTimeout(timer);
  }
}

function keep(address, seen) {
  kept.delete(address);
  kept.set(address, seen);
  if (kept.size > PAGES_KEPT) kept.delete(kept.keys().next().value);
}

let shownAt = location.href.split(/[?#]/)[0];
let goal = shownAt; // where somebody last asked to go

/** Go to a page of the task without a reload; any other page is opened as links do. */
async function go(address, { isNew = true } = {}) {
  goal = address;
  let next = kept.get(address);
  if (!next && address !== shownAt) {
    document.body.setAttribute("aria-busy", "true");
    try {
      next = await load(address);
    } catch {
      say("away");
      setTimeout(() => goal === address && go(address, { isNew }), RETRY_MS);
      return;
    } finally {
      document.body.removeAttribute("aria-busy");
    }
  }
  // Meanwhile somebody may have asked for another page, or twice for this one.
  if (goal !== address || address === shownAt) return;
  if (!next) return location.assign(address);
  keep(shownAt, { title: document.title, parts: parts(document) });
  parts(document).forEach((part, place) => part.replaceWith(next.parts[place]));
  document.title = next.title;
  if (isNew) history.pushState({}, "", address);
  show(address);
  document.querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
  act();
  outbox.send();
}

/** Open a page of another kind. It is the server's to write, which must have every answer first. */
function leave(address) {
  goal = address;
  outbox.whenEmpty(() => goal === address && location.assign(address));
}

const isOurs = (address) => /\/t\/[^/]+\/\d+\/$/.test(address);

document.addEventListener("click", (event) => {
  const step = event.target.closest(".steps a, .bar a, main .note a");
  if (!step || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (isOurs(step.href)) go(step.href);
  else leave(step.href);
});

addEventListener("popstate", () => go(location.href.split(/[?#]/)[0], { isNew: false }));

/** Fetch the page that comes next. A live project's page is made when it is opened. */
async function fetchAhead() {
  const address = link("next").href;
  if (!isOurs(address) || kept.has(address) || "live" in task.dataset) return;
  const seen = await load(address, { "X-Clime-Ahead": "1" }).catch(() => undefined);
  // Who was quicker has seen the page, and perhaps answered on it.
  if (seen && address !== shownAt && !kept.has(address)) keep(address, seen);
}

/* --- Keys --------------------------------------------------------------------------------- */

const KEYS_OFF = "clime-keys-off";
let areKeysOn = !storage?.getItem(KEYS_OFF);
const isOpen = () => document.querySelector("dialog[open]");

function help() {
  const dialog = document.querySelector("dialog.help");
  // Folded on a phone, where keys are rare.
  dialog.querySelector("details").open = matchMedia("(any-hover: hover)").matches;
  dialog.showModal();
}

const KEYS = {
  n: () => link("next").click(),
  p: () => link("prev").click(),
  "?": help,
};

/** Return the key's Latin letter, also on a keyboard of another script. */
function nameOf({ key, code }) {
  if (key === "\u061f") return "?";
  if (key.length === 1 && key > "~") return /^Key[A-Z]$/.test(code) ? code[3].toLowerCase() : key;
  return key.length === 1 ? key.toLowerCase() : key;
}

/** Return what a key does on this page, if it does anything. */
function actionOf(event) {
  const key = nameOf(event);
  if (isKeyword()) {
    if (/^[1-5]$/.test(key)) return digitOnKeyword(page, Number(key));
    return KEYWORD_KEYS(page, event)[key] ?? KEYS[key];
  }
  return actOnDocument.key(page, key) ?? KEYS[key];
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isOpen()) return;
  if (event.target.closest("input, textarea, select")) return;
  if (!areKeysOn && event.key.length === 1) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("change", ({ target }) => {
  if (!("keys" in target.dataset)) return;
  areKeysOn = target.checked;
  if (areKeysOn) storage?.removeItem(KEYS_OFF);
  else storage?.setItem(KEYS_OFF, "1");
});

/* --- What is pressed ---------------------------------------------------------------------- */

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) return help();
  return isKeyword() ? actOnKeyword(page, event) : actOnDocument(page, event);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("break" in form.dataset) {
    event.preventDefault();
    takeBreak(form.action);
  } else if ("problem" in form.dataset) {
    event.preventDefault();
    tellProblem(form);
  }
});

function takeBreak(address) {
  const dialog = document.querySelector("dialog.break");
  dialog.showModal();
  lastSign = lastAct = 0;
  // Without a connection the pause is not counted either, once it is longer than a minute.
  outbox.whenEmpty(() => fetch(address, { method: "POST", redirect: "manual" }).catch(() => {}));
  dialog.addEventListener("close", act, { once: true });
}

function tellProblem(form) {
  const text = form.elements.text.value.trim();
  if (!text) return;
  outbox.put(`problem:${tick()}`, "problem", { text, position: Number(task.dataset.position) });
  form.elements.text.value = "";
  form.querySelector("[role=status]").textContent = form.dataset.thanks;
}

/* --- Each page ---------------------------------------------------------------------------- */

function show(address) {
  shownAt = address;
  task = document.querySelector("#task");
  document.querySelector("[data-help]").hidden = false;
  document.querySelector("[data-keys]").checked = areKeysOn;
  if (isKeyword()) showKeyword(page);
  else showDocument(page);
  paintPending();
  const isKept = "state" in document.querySelector(".status").dataset;
  if (!outbox.isEmpty) say("saving");
  else if (isKept) say("saved"); // it was left with what was true then
  setTimeout(fetchAhead, 500);
}

show(shownAt);
if (outbox.pending.length) outbox.send();
