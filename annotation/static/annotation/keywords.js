// The page of a keyword: words in two columns, each accepted, rejected, graded or put in an order.

import { drag, lists, move, place, rank } from "./ranking.js";
import { tick } from "./queue.js";

const rowOf = (wordId) => document.getElementById(`w-${wordId}`);
const rowsIn = (place) => [...place.querySelectorAll(".row")];
const columns = () => [...document.querySelectorAll(".column")];
const isAdded = (row) => "added" in row.dataset;
const form = ({ task }) => task.dataset.form;
const keyword = ({ task }) => Number(task.dataset.keyword);
const subject = (page, row) => `word:${keyword(page)}:${row.dataset.word}`;
const MIDDLE = 2; // the grade that says neither

/* --- What a row shows --------------------------------------------------------------------- */

/** An answer: verdict accept | reject | leave | left (on purpose), strength 0 to 1 or null. */
const answerOf = (row) => ({
  verdict: row.dataset.verdict,
  strength: row.dataset.strength ? Number(row.dataset.strength) : null,
});

function gradeOf({ verdict, strength }) {
  if (verdict === "leave") return "";
  if (verdict === "left") return String(MIDDLE);
  const size = strength ?? 1;
  return String(Math.round(MIDDLE + (verdict === "accept" ? size : -size) * MIDDLE));
}

function paint(row, answer) {
  row.dataset.verdict = answer.verdict;
  row.dataset.strength = answer.strength ?? "";
  row.dataset.grade = gradeOf(answer);
  for (const button of row.querySelectorAll("[aria-pressed]")) {
    const { verdict, grade } = button.dataset;
    const isPressed = grade ? grade === row.dataset.grade : verdict === answer.verdict;
    button.setAttribute("aria-pressed", String(isPressed));
  }
}

const fromServer = ({ verdict, strength }) => ({
  verdict: verdict === "leave" && strength !== null ? "left" : verdict,
  strength,
});

const ofGrade = (grade) => ({
  verdict: grade > MIDDLE ? "accept" : grade < MIDDLE ? "reject" : "left",
  strength: Math.abs(grade - MIDDLE) / MIDDLE,
});

/* --- Saying something of a word ----------------------------------------------------------- */

let undoable = []; // the rows of the last act, each as it was

function remember(rows) {
  undoable = rows.map((row) => [row, answerOf(row)]);
}

/** Show and send an answer. */
function answer(page, row, now) {
  if (form(page) === "ranking" && !isAdded(row)) {
    place(row, now.verdict === "left" ? "leave" : now.verdict, paint);
    return rank(page, row.closest(".column"));
  }
  paint(row, now);
  send(page, row);
}

function send(page, row) {
  const word = Number(row.dataset.word);
  const { verdict, grade } = row.dataset;
  const said = { keyword: keyword(page), word };
  const saw = Number(row.dataset.revision);
  if (form(page) === "graded" && grade && !isAdded(row)) {
    return page.outbox.put(subject(page, row), "grade", { ...said, grade: Number(grade) }, { saw });
  }
  const isLeft = verdict === "left";
  const told = { ...said, verdict: isLeft ? "leave" : verdict, on_purpose: isLeft };
  return page.outbox.put(subject(page, row), "verdict", told, { saw });
}

/** Accept or reject a word; the verdict that it already has is taken back. */
function judge(page, row, verdict) {
  remember([row]);
  answer(page, row, { verdict: verdict === row.dataset.verdict ? "leave" : verdict, strength: null });
}

function grade(page, row, step) {
  remember([row]);
  const isPressed = row.dataset.grade === String(step);
  answer(page, row, isPressed ? { verdict: "leave", strength: null } : ofGrade(step));
}

/** Say the same of every word that has no answer yet. */
function settleRest(page, given) {
  const rows = rowsIn(page.task).filter((row) => row.dataset.verdict === "leave" && !isAdded(row));
  remember(rows);
  const isGraded = form(page) === "graded" && given === "reject";
  const now = isGraded ? ofGrade(0) : { verdict: given === "leave" ? "left" : given, strength: given === "leave" ? 0 : null };
  for (const row of rows) {
    if (form(page) === "ranking" && given === "leave") paint(row, now);
    else answer(page, row, now);
  }
  if (form(page) === "ranking") columns().forEach((column) => rank(page, column));
  showUndo(page, rows.length > 0);
}

function showUndo(page, isShown) {
  page.task.querySelector("[data-undo]").hidden = !isShown;
}

/** Give the rows of the last act what they had before. */
function undo(page) {
  for (const [row, before] of undoable.splice(0)) if (row.isConnected) answer(page, row, before);
  const button = page.task.querySelector("[data-undo]");
  if (button === document.activeElement) page.task.querySelector(".rest button").focus();
  showUndo(page, false);
}

/* --- The annotator's own words ------------------------------------------------------------ */

/** Take the annotator's own word off the page and out of the answers. */
function remove(page, row) {
  paint(row, { verdict: "leave", strength: null });
  send(page, row);
  const column = row.closest(".column");
  row.remove();
  if (form(page) === "ranking") rank(page, column);
  column.querySelector("input[type=search]").focus();
}

const mould = (column, kind) =>
  column.querySelector(`[data-mould=${kind}]`).content.firstElementChild.cloneNode(true);

function cast(column, { id, text }) {
  const row = mould(column, "word");
  row.id = `w-${id}`;
  row.dataset.word = id;
  row.querySelector("input").value = id;
  row.querySelector(".word").href = `?context=${id}#w-${id}`;
  for (const name of row.querySelectorAll("bdi")) name.textContent = text;
  const line = column.querySelector("[data-line=accept]");
  if (line) line.before(row);
  else column.querySelector(".rows").append(row);
  return row;
}

/** Put a word of the vocabulary beside the keyword; one that is shown already is accepted. */
function add(page, column, word) {
  const shown = rowOf(word.id);
  if (shown) {
    if (shown.dataset.verdict !== "accept") judge(page, shown, "accept");
    shown.focus();
    return;
  }
  const row = cast(column, word);
  paint(row, { verdict: "accept", strength: null });
  send(page, row);
  if (form(page) === "ranking") rank(page, column);
}

/* --- Words that the vocabulary does not have ---------------------------------------------- */

const suggestionIn = (column, text) =>
  [...column.querySelectorAll(".suggestion")].find((one) => one.dataset.text === text);

function showSuggestion(column, text) {
  if (suggestionIn(column, text)) return;
  const item = mould(column, "suggestion");
  item.dataset.text = text;
  for (const name of item.querySelectorAll("bdi")) name.textContent = text;
  item.querySelector("[name=suggestion]").value = text;
  column.querySelector(".suggestions").append(item);
}

function suggest(page, column, text, { withdrawn = false } = {}) {
  const { side } = column.dataset;
  if (withdrawn) suggestionIn(column, text)?.remove();
  else showSuggestion(column, text);
  const about = `suggestion:${keyword(page)}:${side}:${text}`;
  page.outbox.put(about, "suggestion", { keyword: keyword(page), side, text, withdrawn });
}

/* --- What the server says ----------------------------------------------------------------- */

const columnOf = (side) => document.querySelector(`.column[data-side=${side}]`);

/** Show the answers as they now are, but for those that are on their way. */
export function standKeyword(page, { words, suggestions }) {
  const said = new Map(words.map((word) => [String(word.id), word]));
  const nothing = { verdict: "leave", strength: null, revision: 0 };
  const isPending = (row) =>
    page.outbox.about(subject(page, row)) ??
    page.outbox.about(`ranking:${keyword(page)}:${row.closest(".column").dataset.side}`);
  for (const word of words) {
    if (word.added && word.verdict !== "leave" && !rowOf(word.id)) cast(columnOf(word.side), word);
  }
  for (const row of rowsIn(page.task)) {
    const word = said.get(row.dataset.word) ?? nothing;
    row.dataset.revision = word.revision;
    if (isPending(row)) continue;
    if (isAdded(row) && word.verdict === "leave") row.remove();
    else paint(row, fromServer(word));
  }
  for (const { side, text, is_withdrawn } of suggestions) {
    if (page.outbox.about(`suggestion:${keyword(page)}:${side}:${text}`)) continue;
    if (is_withdrawn) suggestionIn(columnOf(side), text)?.remove();
    else showSuggestion(columnOf(side), text);
  }
  if (form(page) === "ranking") columns().forEach((column) => lists.sort(column));
}

/** Show an answer that waits in this browser, perhaps from another tab or before a reload. */
standKeyword.pending = (page, letter) => {
  if (letter.keyword !== keyword(page)) return;
  const row = rowOf(letter.word);
  if (letter.kind === "grade" && row) paint(row, ofGrade(letter.grade));
  if (letter.kind === "verdict" && row) {
    const verdict = letter.on_purpose ? "left" : letter.verdict;
    if (isAdded(row) && verdict === "leave") row.remove();
    else paint(row, { verdict, strength: letter.on_purpose ? 0 : null });
  }
  if (letter.kind === "ranking") lists.restore(columnOf(letter.side), letter, paint);
  if (letter.kind === "suggestion" && !letter.withdrawn) showSuggestion(columnOf(letter.side), letter.text);
};

/* --- Sentences ---------------------------------------------------------------------------- */

const sentences = new Map(); // address → the piece of a page

async function fetchSentences(address) {
  if (!sentences.has(address)) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(response.statusText);
    // Our own template, with every word escaped; a parsed document runs no script.
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    sentences.set(address, fresh.querySelector(".concordance"));
  }
  return [...sentences.get(address).cloneNode(true).children];
}

/** Fold the sentences of a word out or in. */
async function toggleSentences(page, place) {
  const link = place.querySelector(".word");
  const shown = place.querySelector(".concordance");
  link.setAttribute("aria-expanded", String(!shown));
  if (shown) return shown.remove();
  const section = document.createElement("section");
  section.className = "concordance";
  section.setAttribute("aria-live", "polite");
  section.setAttribute("aria-busy", "true");
  place.append(section);
  const word = Number(place.dataset.word);
  page.outbox.put(`context:${tick()}`, "context", { word });
  await fill(page, section, page.task.dataset.concordance.replace(/0$/, String(word)));
}

async function fill(page, section, address) {
  try {
    section.replaceChildren(...(await fetchSentences(address)));
  } catch {
    section.textContent = page.task.dataset.noSentences;
    section.closest("[data-word]").querySelector(".word").setAttribute("aria-expanded", "false");
  }
  section.removeAttribute("aria-busy");
}

function showMore(page, link) {
  const section = link.closest(".concordance");
  const { word } = section.closest("[data-word]").dataset;
  section.tabIndex = -1;
  section.focus(); // the link that was pressed goes
  fill(page, section, `${page.task.dataset.concordance.replace(/0$/, word)}?more=1`);
}

/* --- Finding words to add ----------------------------------------------------------------- */

const TYPING_PAUSE_MS = 200;
const ready = new WeakSet();

function offerWords(page, column) {
  const input = column.querySelector("input[type=search]");
  const found = column.querySelector(".found");
  const results = column.querySelector(".results");
  let timer;
  let newest;

  const show = (message, items) => {
    found.textContent = message;
    results.replaceChildren(...items);
    results.scrollIntoView({ block: "nearest" }); // out from under the bar at the bottom
  };
  const offer = (text, take, before = "") => {
    const button = document.createElement("button");
    button.type = "button";
    const name = document.createElement("bdi");
    Object.assign(name, { lang: input.lang, dir: input.dir, textContent: text });
    button.append(before, name);
    button.addEventListener("click", () => {
      input.value = "";
      show("", []);
      input.focus();
      take();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  };
  const search = async () => {
    clearTimeout(timer);
    const query = (newest = input.value.trim().normalize("NFC"));
    if (!query) return show("", []);
    const asked = new URLSearchParams({ side: column.dataset.side, q: query });
    try {
      const response = await fetch(`${page.task.dataset.words}?${asked}`);
      if (!response.ok) throw new Error(response.statusText);
      const keywordWord = Number(document.querySelector(".keyword").dataset.word);
      const { words: all } = await response.json();
      if (query !== newest) return;
      const words = all.filter(({ id }) => id !== keywordWord);
      const items = words.map((word) => offer(word.text, () => add(page, column, word)));
      if (!all.some(({ text }) => text === query)) {
        items.push(offer(query, () => suggest(page, column, query), `${results.dataset.keep} `));
      }
      show(found.dataset[words.length ? "some" : "none"], items);
    } catch {
      if (query === newest) show(found.dataset.failed, []);
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_PAUSE_MS);
  });
  column.querySelector(".add").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

/* --- The page ----------------------------------------------------------------------------- */

export function showKeyword(page) {
  if (ready.has(page.task)) return;
  ready.add(page.task);
  for (const link of page.task.querySelectorAll("a.word")) {
    const isOpen = Boolean(link.closest("[data-word]").querySelector(".concordance"));
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", String(isOpen));
  }
  for (const column of columns()) {
    offerWords(page, column);
    if (form(page) === "ranking") drag(column, (row) => dropped(page, row), paint);
  }
}

function dropped(page, row) {
  rank(page, row.closest(".column"));
}

export function actOnKeyword(page, event) {
  const { target } = event;
  const more = target.closest("a.more");
  const link = target.closest("a.word");
  const button = target.closest("#task button");
  if (!more && !link && !button?.name && !button?.matches("[data-undo]")) return;
  if (button?.closest(".add, .results")) return;
  event.preventDefault();
  if (more) return showMore(page, more);
  const spot = target.closest("[data-word]");
  if (link) return void toggleSentences(page, spot);
  if ("undo" in button.dataset) return undo(page);
  if (button.name === "rest") return settleRest(page, button.value);
  if ("withdraw" in button.dataset) {
    const { text } = button.closest(".suggestion").dataset;
    return suggest(page, button.closest(".column"), text, { withdrawn: true });
  }
  if (button.matches(".move")) return shift(page, spot, button.value);
  if ("remove" in button.dataset) return remove(page, spot);
  if ("grade" in button.dataset) return grade(page, spot, Number(button.dataset.grade));
  return judge(page, spot, button.dataset.verdict);
}

/** Move a ranked word a place up or down; the focus goes with it. */
function shift(page, row, direction) {
  const held = document.activeElement;
  if (!move(row, direction, paint)) return;
  if (row.contains(held)) held.focus();
  rank(page, row.closest(".column"));
}

/* --- Keys --------------------------------------------------------------------------------- */

const currentRow = () => document.activeElement.closest(".row");

function step(page, by) {
  const all = rowsIn(page.task);
  const here = all.indexOf(currentRow());
  const there = here < 0 ? (by > 0 ? 0 : all.length - 1) : here + by;
  all[Math.min(Math.max(there, 0), all.length - 1)]?.focus();
}

function cross() {
  const row = currentRow();
  const column = row?.closest(".column");
  const other = document.querySelector(`.column:not([data-side="${column?.dataset.side}"])`);
  const beside = rowsIn(other);
  beside[Math.min(row ? rowsIn(column).indexOf(row) : 0, beside.length - 1)]?.focus();
}

/** Judge the current row by key; on a word of the annotator's own, only undo says anything. */
function judgeByKey(page, verdict) {
  const row = currentRow();
  if (!row || isAdded(row) || verdict === row.dataset.verdict) return;
  if (form(page) === "graded") grade(page, row, verdict === "accept" ? 2 * MIDDLE : 0);
  else judge(page, row, verdict);
}

function undoByKey(page) {
  const row = currentRow();
  if (!row) return undo(page);
  if (isAdded(row)) return remove(page, row);
  if (row.dataset.verdict === "leave") return;
  remember([row]);
  answer(page, row, { verdict: "leave", strength: null });
}

/** Return what keys do on this page. */
export function KEYWORD_KEYS(page, { shiftKey }) {
  const isRanked = form(page) === "ranking" && shiftKey && currentRow();
  const walk = (by) => () => {
    if (isRanked) shift(page, currentRow(), by > 0 ? "down" : "up");
    else step(page, by);
  };
  return {
    j: walk(1),
    ArrowDown: walk(1),
    k: walk(-1),
    ArrowUp: walk(-1),
    ArrowLeft: cross,
    ArrowRight: cross,
    a: () => judgeByKey(page, "accept"),
    r: () => judgeByKey(page, "reject"),
    u: () => undoByKey(page),
    c: () => toggleSentences(page, currentRow() ?? document.querySelector(".keyword")),
  };
}

/** Return what a digit does: choose a step for the current word of a graded page. */
export function digitOnKeyword(page, digit) {
  const row = currentRow();
  if (form(page) !== "graded" || !row || isAdded(row)) return undefined;
  return () => grade(page, row, digit - 1);
}
