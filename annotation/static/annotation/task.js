// Makes the task pages quick: answers are saved without a reload, words open in place, keys work.
// The pages work without it. Text from the server is put into the page as text, never as HTML.

const task = document.querySelector("#task");
const statusLine = document.querySelector(".status");
const { keyword, document: documentId } = task.dataset;

/* --- Saving ------------------------------------------------------------------------------- */

const TIMEOUT_MS = 15_000;
const RETRY_MS = { first: 1_000, longest: 30_000 };

function say(state, detail) {
  statusLine.dataset.state = state;
  statusLine.textContent = detail || statusLine.dataset[state];
}

/** Return the server's {status, detail}; throws where it is worth trying again. */
async function post(url, answer) {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(answer),
      keepalive: true, // outlives the page, should it be closed just now
      signal: aborter.signal,
    });
    const { status } = response;
    if (status >= 500 || status === 429) throw new Error(response.statusText);
    // Throws for a page that is not ours: a hotel's login may answer in the server's place.
    const { detail } = await response.json();
    return { status, detail };
  } finally {
    clearTimeout(timer);
  }
}

/** Sends answers one after the other, so that they arrive in order; the newest of a subject wins. */
class Outbox {
  #waiting = new Map(); // subject → {url, answer, undo}
  #busy = false;
  #delay = RETRY_MS.first;
  #timer;
  #next = () => {};

  get isEmpty() {
    return this.#waiting.size === 0;
  }

  /** Save an answer about a subject; `undo` takes it off the page should the server refuse it. */
  put(subject, url, answer, undo) {
    const replaced = this.#waiting.get(subject);
    this.#waiting.set(subject, { url, answer, undo: replaced?.undo ?? undo });
    say("saving");
    this.send();
  }

  /** Run an action as soon as everything is saved. */
  whenEmpty(action) {
    if (this.isEmpty) action();
    else this.#next = action;
  }

  async send() {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    try {
      let refusal;
      while (!this.isEmpty) refusal = (await this.#sendFirst()) ?? refusal;
      say(refusal ? "refused" : "saved", refusal);
      if (!refusal) this.#next();
      this.#next = () => {};
    } catch {
      say("failed");
      this.#timer = setTimeout(() => this.send(), this.#delay);
      this.#delay = Math.min(this.#delay * 2, RETRY_MS.longest);
    } finally {
      this.#busy = false;
    }
  }

  /** Send the oldest answer; return the server's reason where it refuses; throw to try again. */
  async #sendFirst() {
    const [subject, letter] = this.#waiting.entries().next().value;
    const { status, detail } = await post(letter.url, letter.answer);
    this.#delay = RETRY_MS.first;
    const isNewest = this.#waiting.get(subject) === letter;
    if (isNewest) this.#waiting.delete(subject);
    if (status < 400) return undefined;
    if ([403, 404, 410].includes(status)) {
      this.#waiting.clear();
      location.reload(); // the task is closed, and its page says why
    } else if (isNewest) letter.undo();
    return [statusLine.dataset.refused, detail].filter(Boolean).join(" ");
  }
}

const outbox = new Outbox();

addEventListener("online", () => outbox.isEmpty || outbox.send());
addEventListener("beforeunload", (event) => outbox.isEmpty || event.preventDefault());
// A page out of the browser's memory may show answers that were changed since.
addEventListener("pageshow", (event) => event.persisted && location.reload());

document.querySelector(".steps").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || outbox.isEmpty) return;
  event.preventDefault();
  outbox.whenEmpty(() => location.assign(link.href));
});

/* --- Words -------------------------------------------------------------------------------- */

const rowOf = (wordId) => document.getElementById(`w-${wordId}`);
const rows = () => [...document.querySelectorAll(".row")];

function paint(row, verdict) {
  row.dataset.verdict = verdict;
  for (const button of row.querySelectorAll("[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  }
}

/** Show and save a verdict; the verdict that a word already has is taken back. */
function judge(row, verdict) {
  const before = row.dataset.verdict;
  const now = verdict === before ? "leave" : verdict;
  if (now === before) return;
  paint(row, now);
  save(row, now, () => paint(row, before));
}

function save(row, verdict, undo) {
  const word = Number(row.dataset.word);
  outbox.put(word, task.dataset.judgements, { keyword: Number(keyword), word, verdict }, undo);
}

/** Take the annotator's own word off the page and out of the answers. */
function remove(row) {
  const list = row.parentElement;
  const next = row.nextElementSibling;
  row.remove();
  save(row, "leave", () => list.insertBefore(row, next));
  list.closest(".column").querySelector("input[type=search]").focus();
}

/** Put a word of the vocabulary beside the keyword; one that is shown already is accepted. */
function add(column, { id, text: spelling }) {
  const shown = rowOf(id);
  if (shown) {
    if (shown.dataset.verdict !== "accept") judge(shown, "accept");
    shown.focus();
    return;
  }
  const row = column.querySelector("template").content.querySelector(".row").cloneNode(true);
  row.id = `w-${id}`;
  row.dataset.word = id;
  row.querySelector("input").value = id;
  row.querySelector(".word").href = `?context=${id}#w-${id}`;
  for (const name of row.querySelectorAll("bdi")) name.textContent = spelling;
  column.querySelector(".rows").append(row);
  save(row, "accept", () => row.remove());
}

/** Fold the sentences of a word out or in. */
async function toggleSentences(place) {
  const link = place.querySelector(".word");
  const shown = place.querySelector(".concordance");
  link.setAttribute("aria-expanded", String(!shown));
  if (shown) return shown.remove();
  const section = document.createElement("section");
  section.className = "concordance";
  section.setAttribute("aria-live", "polite");
  place.append(section);
  try {
    const response = await fetch(task.dataset.concordance.replace(/0$/, place.dataset.word));
    if (!response.ok) throw new Error(response.statusText);
    // Our own template, with every word escaped; a parsed document runs no script.
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    section.append(...page.querySelector(".concordance").children);
  } catch {
    section.textContent = task.dataset.noSentences;
    link.setAttribute("aria-expanded", "false");
  }
}

task.addEventListener("click", (event) => {
  const link = event.target.closest("a.word");
  const button = event.target.closest(".row button");
  if (!link && !button) return;
  event.preventDefault();
  const place = event.target.closest("[data-word]");
  if (link) toggleSentences(place);
  else if ("remove" in button.dataset) remove(place);
  else judge(place, button.dataset.verdict);
});

/* --- Adding words ------------------------------------------------------------------------- */

const TYPING_PAUSE_MS = 200;

function offerWords(column) {
  const form = column.querySelector(".add");
  const input = form.querySelector("input[type=search]");
  const found = column.querySelector(".found");
  const results = column.querySelector(".results");
  let timer;
  let newest;

  const show = (message, words) => {
    found.textContent = message;
    results.replaceChildren(...words.map(offer));
    results.scrollIntoView({ block: "nearest" }); // out from under the bar at the bottom
  };
  const offer = (word) => {
    const button = document.createElement("button");
    button.type = "button";
    button.lang = input.lang;
    button.dir = input.dir;
    button.textContent = word.text;
    button.addEventListener("click", () => {
      input.value = "";
      show("", []);
      input.focus();
      add(column, word);
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  };
  const search = async () => {
    clearTimeout(timer);
    const query = (newest = input.value.trim());
    if (!query) return show("", []);
    const asked = new URLSearchParams({ side: column.dataset.side, q: query });
    try {
      const response = await fetch(`${task.dataset.words}?${asked}`);
      if (!response.ok) throw new Error(response.statusText);
      const keywordWord = Number(document.querySelector(".keyword").dataset.word);
      const words = (await response.json()).words.filter(({ id }) => id !== keywordWord);
      if (query === newest) show(found.dataset[words.length ? "some" : "none"], words);
    } catch {
      if (query === newest) show(found.dataset.failed, []);
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_PAUSE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

document.querySelectorAll(".column").forEach(offerWords);

/* --- Documents ---------------------------------------------------------------------------- */

function choose(button) {
  const buttons = [...document.querySelectorAll(".choices button")];
  const before = buttons.find((one) => one.getAttribute("aria-pressed") === "true");
  const press = (chosen) =>
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === chosen)));
  if (button === before) return;
  press(button);
  const label = button.value === "none" ? null : Number(button.value);
  outbox.put("label", task.dataset.labels, { document: Number(documentId), label }, () => press(before));
}

document.querySelector(".choices")?.addEventListener("click", (event) => {
  event.preventDefault();
  const button = event.target.closest("button");
  if (button) choose(button);
});

/* --- Keys --------------------------------------------------------------------------------- */

const help = document.querySelector("dialog");
const helpButton = document.querySelector("[data-help]");
helpButton.hidden = false;
helpButton.addEventListener("click", () => help.showModal());
for (const link of document.querySelectorAll("a.word")) {
  link.setAttribute("role", "button");
  link.setAttribute("aria-expanded", String(Boolean(link.closest("[data-word]").querySelector(".concordance"))));
}

const currentRow = () => document.activeElement.closest(".row");

function step(by) {
  const all = rows();
  const here = all.indexOf(currentRow());
  all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1)]?.focus();
}

function cross() {
  const row = currentRow();
  const column = row?.closest(".column");
  const other = document.querySelector(`.column:not([data-side="${column?.dataset.side}"])`);
  const beside = other?.querySelectorAll(".row") ?? [];
  beside[Math.min(row ? [...column.querySelectorAll(".row")].indexOf(row) : 0, beside.length - 1)]?.focus();
}

/** Judge the current row by key; on a word of the annotator's own, only undo says anything. */
function judgeByKey(verdict) {
  const row = currentRow();
  if (!row) return;
  if (!row.querySelector("[data-remove]")) {
    if (verdict !== row.dataset.verdict) judge(row, verdict);
  } else if (verdict === "leave") remove(row);
}

const KEYS = {
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  ArrowLeft: cross,
  ArrowRight: cross,
  a: () => judgeByKey("accept"),
  r: () => judgeByKey("reject"),
  u: () => judgeByKey("leave"),
  c: () => toggleSentences(currentRow() ?? document.querySelector(".keyword")),
  n: () => document.querySelector("[rel=next]").click(),
  p: () => document.querySelector("[rel=prev]").click(),
  "?": () => help.showModal(),
};

/** Return what a key does on this page, if it does anything. */
function actionOf(key) {
  const choices = document.querySelectorAll(".choices button");
  if (choices.length && /^[0-9]$/.test(key)) {
    const button = key === "0" ? choices[choices.length - 1] : choices[Number(key) - 1];
    return button && (() => choose(button));
  }
  const forWords = key.length > 1 || "jkaruc".includes(key);
  return forWords && !keyword ? undefined : KEYS[key];
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.closest("input")) return;
  const action = actionOf(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (!action) return;
  event.preventDefault();
  action();
});
