// Answers on their way to the server. Each is a letter with a number of its own that waits in the
// browser's storage until the server has it: it outlives a dead connection, a reload, a closed tab.
// The server takes a letter that comes twice or late for what it is (annotation/answering.py).

const TIMEOUT_MS = 15_000;
const RETRY_MS = { first: 1_000, longest: 30_000 };
const LETTERS_AT_ONCE = 50;
// Sent along, but nothing that somebody waits to see saved.
const QUIET = new Set(["sign", "context"]);
const IS_OVER = [403, 404, 410];

/* --- The server's clock ------------------------------------------------------------------- */

// Which choice is the last is told by time, so devices reckon by the server's clock. What it said
// was always a little earlier when it arrived, so the greatest difference is the nearest to true.
let ahead = -Infinity;
let last = 0;

export function setClock(serverNow) {
  ahead = Math.max(ahead, Number(serverNow) - performance.now());
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
 * say(state, detail): saving | saved | kept | waiting | refused | late. position(): of the page at
 * hand, and stand(standing): how its answers now are. over(): the task has ended.
 */
export class Outbox {
  #letters;
  #url;
  #hooks;
  #isBusy = false;
  #wantsMore = false;
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

  /** Keep an answer about a subject and send it; it takes the place of one that was not sent yet. */
  put(subject, kind, said, { saw = 0, at = tick() } = {}) {
    this.#letters.put({ subject, id: letterNumber(), at, saw, kind, ...said });
    if (!QUIET.has(kind)) this.#hooks.say("saving");
    this.send();
  }

  /** Run an action as soon as everything is sent. */
  whenEmpty(action) {
    if (this.isEmpty) return action();
    this.#waiting.push(action);
    this.send();
  }

  /** Send what waits, or only ask how the page's answers stand. */
  async send() {
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
    const position = this.#hooks.position?.();
    const said = letters.map(({ subject, ...letter }) => letter);
    const { status, reply } = await this.#post({ letters: said, position });
    if (position !== this.#hooks.position?.()) delete reply.standing; // of a page that was left
    if (IS_OVER.includes(status)) {
      this.#letters.clear();
      this.#waiting = [];
      return this.#hooks.over();
    }
    const receipts = this.#read(letters, status < 400 ? reply : { receipts: [], detail: reply.detail });
    const became = (state) => receipts.find((receipt) => receipt.state === state);
    if (became("refused")) this.#hooks.say("refused", became("refused").detail);
    else if (became("superseded")) this.#hooks.say("late");
    else if (letters.some(({ kind }) => !QUIET.has(kind)) && this.isEmpty) this.#hooks.say("saved");
  }

  /** Take what the server says of letters; return what became of each. */
  #read(letters, { now, receipts, standing, detail = "" }) {
    if (now) setClock(now);
    letters.forEach((letter) => this.#letters.drop(letter));
    if (standing) this.#hooks.stand(standing);
    return letters.map((letter, place) => receipts[place] ?? { state: "refused", detail });
  }

  /** Return the server's {status, reply}; throws where it is worth trying again. */
  async #post(body) {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        keepalive: true, // outlives the page, should it be closed just now
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
