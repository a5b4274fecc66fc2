// Answers on their way to the server. Each is a letter with a number of its own that waits in the
// browser's storage until the server has it: it outlives a dead connection, a reload, a closed tab.
// The server takes a letter that comes twice or late for what it is (annotation/answering.py).

const TIMEOUT_MS = 15_000;
const RETRY_MS = { first: 1_000, longest: 30_000 };
const LETTERS_AT_ONCE = 50;
// Browsers refuse to keep alive what is larger than 64 KiB; a letter has up to three bytes a unit.
const LONGEST_KEPT_ALIVE = 20_000;
// Sent along, but nothing that somebody waits to see saved.
const QUIET = new Set(["sign", "context"]);
const IS_OVER = [403, 404, 410];

/* --- The server's clock ------------------------------------------------------------------- */

// Which choice is the last is told by time, so devices reckon by the server's clock: it said its
// time midway between question and answer, give or take half of what they took.
let ahead = 0;
let doubt = Infinity;
let last = 0;

/** Set the clock by what the server said, if that is surer or shows that the device slept. */
export function setClock(serverNow, asked, answered) {
  const said = Number(serverNow) - (asked + answered) / 2;
  const doubted = (answered - asked) / 2;
  if (doubted > doubt && Math.abs(said - ahead) <= doubted + doubt) return;
  ahead = said;
  doubt = doubted;
}

/** Set the clock by a page that says when it was made. */
export function setClockByPage(serverNow) {
  const [page] = performance.getEntriesByType("navigation");
  setClock(serverNow, page?.requestStart ?? 0, page?.responseStart || performance.now());
}

/** Return the server's time in milliseconds, later with every call. */
export function tick() {
  last = Math.max(Math.round(ahead + performance.now()), last + 1);
  return last;
}

/** Return a random number for a letter; crypto.randomUUID is missing in older browsers. */
function letterNumber() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/* --- Where letters wait ------------------------------------------------------------------- */

/** localStorage, or null where a frame of another site, or private mode, forbids it. */
function openStorage() {
  try {
    localStorage.setItem("clime", "");
    localStorage.removeItem("clime");
    return localStorage;
  } catch {
    return null;
  }
}

export const storage = openStorage();

/** The letters of one task, a key for each subject: two tabs never overwrite each other's. */
class Letters {
  #prefix;
  #unstored = new Map(); // where there is no storage, or it is full

  constructor(task) {
    this.#prefix = `clime:${task}:`;
  }

  get isStored() {
    return this.#unstored.size === 0;
  }

  get all() {
    const keys = [];
    for (let place = 0; place < (storage?.length ?? 0); place += 1) keys.push(storage.key(place));
    const ours = keys.filter((key) => key.startsWith(this.#prefix));
    const letters = ours.map((key) => JSON.parse(storage.getItem(key)));
    return [...letters, ...this.#unstored.values()].sort((one, other) => one.at - other.at);
  }

  about(subject) {
    const stored = storage?.getItem(this.#prefix + subject);
    return this.#unstored.get(subject) ?? (stored ? JSON.parse(stored) : undefined);
  }

  put(letter) {
    try {
      storage.setItem(this.#prefix + letter.subject, JSON.stringify(letter));
      this.#unstored.delete(letter.subject);
    } catch {
      storage?.removeItem(this.#prefix + letter.subject); // full: what it held of this is outdated
      this.#unstored.set(letter.subject, letter);
    }
  }

  /** Forget a letter, unless a newer one has taken its place. */
  drop({ subject, id }) {
    if (this.about(subject)?.id !== id) return;
    this.#unstored.delete(subject);
    storage?.removeItem(this.#prefix + subject);
  }

  clear() {
    for (const letter of this.all) this.drop(letter);
  }
}

/* --- Sending ------------------------------------------------------------------------------ */

/**
 * Sends letters, the oldest first, until the server has them all.
 *
 * say(state, detail): saving | saved | kept | waiting | refused | late. position(): the page's.
 * stand(standing): how the page's answers stand. over(): the task has ended.
 */
export class Outbox {
  #letters;
  #url;
  #hooks;
  #isBusy = false;
  #wantsMore = false;
  #isAwaited = false; // somebody was told that an answer is not saved yet
  #delay = RETRY_MS.first;
  #timer;
  #waiting = [];

  constructor({ task, url, ...hooks }) {
    this.#letters = new Letters(task);
    this.#url = url;
    this.#hooks = hooks;
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (event) => this.isEmpty || event.preventDefault());
  }

  get pending() {
    return this.#letters.all;
  }

  get isEmpty() {
    return this.pending.every(({ kind }) => QUIET.has(kind));
  }

  about(subject) {
    return this.#letters.about(subject);
  }

  /**
   * Keep an answer about a subject and send it; it takes the place of one that was not sent yet.
   *
   * shows: what the page needs to show the answer again, and the server does not.
   */
  put(subject, kind, said, { saw = 0, at = tick(), shows } = {}) {
    this.#letters.put({ subject, id: letterNumber(), at, saw, kind, shows, ...said });
    if (!QUIET.has(kind)) this.#hooks.say("saving");
    this.send();
  }

  /** Run an action as soon as everything is sent. */
  whenEmpty(action) {
    if (!this.pending.length) return action();
    this.#waiting.push(action);
    this.send();
  }

  /** Send what waits, or only ask how the page's answers stand. */
  async send() {
    this.#isAwaited ||= !this.isEmpty;
    if (this.#isBusy) return void (this.#wantsMore = true);
    this.#isBusy = true;
    clearTimeout(this.#timer);
    try {
      do {
        this.#wantsMore = false;
        await this.#sendSome();
      } while (this.#wantsMore || this.pending.length);
      this.#delay = RETRY_MS.first;
      for (const action of this.#waiting.splice(0)) action();
    } catch {
      if (!this.isEmpty) this.#hooks.say(this.#letters.isStored ? "kept" : "waiting");
      this.#timer = setTimeout(() => this.send(), this.#delay);
      this.#delay = Math.min(this.#delay * 2, RETRY_MS.longest);
    } finally {
      this.#isBusy = false;
    }
  }

  async #sendSome() {
    const letters = this.pending.slice(0, LETTERS_AT_ONCE);
    const asked = performance.now();
    const position = this.#hooks.position?.();
    const { status, reply } = await this.#post({
      letters: letters.map(({ subject, shows, ...letter }) => letter),
      position,
    });
    if (IS_OVER.includes(status)) {
      this.#letters.clear();
      this.#waiting = [];
      return this.#hooks.over();
    }
    const { now, standing, receipts = [], detail } = reply;
    if (now) setClock(now, asked, performance.now());
    letters.forEach((letter) => this.#letters.drop(letter));
    // The answer is about a page that somebody may have left meanwhile.
    if (standing && position === this.#hooks.position?.()) this.#hooks.stand(standing);
    // Refused as a whole, so nothing was said of the page: ask.
    if (status >= 400 && letters.length) this.#wantsMore = true;
    this.#tell(letters.map((_, place) => receipts[place] ?? { state: "refused", detail }));
  }

  /** Say what became of letters; that all is saved, only to somebody who waits for it. */
  #tell(receipts) {
    const refused = receipts.find(({ state }) => state === "refused");
    if (refused) this.#hooks.say("refused", refused.detail);
    else if (receipts.some(({ state }) => state === "superseded")) this.#hooks.say("late");
    else if (this.#isAwaited && this.isEmpty) this.#hooks.say("saved");
    this.#isAwaited &&= !this.isEmpty;
  }

  /** Return the server's {status, reply}; throws where it is worth trying again. */
  async #post(body) {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
    try {
      const text = JSON.stringify(body);
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: text,
        keepalive: text.length < LONGEST_KEPT_ALIVE, // outlives the page, should it be closed now
        signal: aborter.signal,
      });
      const { status } = response;
      if (status >= 500 || status === 429) throw new Error(response.statusText);
      // Throws for a page that is not ours: a hotel's login may answer in the server's place.
      const reply = await response.json();
      if (status < 400 && !Array.isArray(reply.receipts)) throw new Error("not our answer");
      return { status, reply };
    } finally {
      clearTimeout(timer);
    }
  }
}
