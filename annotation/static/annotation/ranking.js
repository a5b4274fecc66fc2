// Words in an order: accepted above one line, the best first; rejected below another, the worst last.
// By buttons, by keys and by drag. Each row's strength follows from its place, as
// models_ml/core/answer_forms.py has the rule.

const ZONES = ["accept", "leave", "reject"];
const listOf = (column) => column.querySelector(".rows");
const lineOf = (list, name) => list.querySelector(`[data-line=${name}]`);

/** Return the rows above the first line, between both, and below the second. */
function zones(list) {
  const found = [[], [], []];
  let zone = 0;
  for (const item of list.children) {
    if (item.matches(".line")) zone += 1;
    else found[zone].push(item);
  }
  return found;
}

/** Give every row the verdict and the strength of its place. */
function settle(list, paint) {
  const [above, between, below] = zones(list);
  above.forEach((row, at) => paint(row, { verdict: "accept", strength: 1 - at / above.length }));
  below.forEach((row, at) => paint(row, { verdict: "reject", strength: (at + 1) / below.length }));
  for (const row of between) {
    if (row.dataset.verdict !== "left") paint(row, { verdict: "leave", strength: null });
  }
}

/** Put a row at the end of a zone that is nearest to the middle. */
export function place(row, verdict, paint) {
  const list = row.parentElement;
  if (verdict === "accept") lineOf(list, "accept").before(row);
  else if (verdict === "reject") lineOf(list, "reject").after(row);
  else lineOf(list, "reject").before(row);
  if (row.dataset.verdict === "left") paint(row, { verdict: "leave", strength: null });
  settle(list, paint);
}

/** Move a row one place up or down, over a line at the end of its zone; false at the list's end. */
export function move(row, direction, paint) {
  const other = direction === "up" ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return false;
  if (direction === "up") other.before(row);
  else other.after(row);
  settle(row.parentElement, paint);
  return true;
}

const ids = (rows) => rows.map((row) => Number(row.dataset.word));

/** Send the order of a column. */
export function rank({ outbox, task }, column) {
  const list = listOf(column);
  const [above, between, below] = zones(list);
  const left = ids(between.filter((row) => row.dataset.verdict === "left"));
  const { side } = column.dataset;
  const keyword = Number(task.dataset.keyword);
  const revisions = [...list.querySelectorAll(".row")].map((row) => Number(row.dataset.revision));
  const said = { keyword, side, best_first: ids(above), worst_first: ids(below).reverse(), left };
  outbox.put(`ranking:${keyword}:${side}`, "ranking", said, { saw: Math.max(0, ...revisions) });
}

export const lists = {
  /** Put rows where their verdicts and strengths say. */
  sort(column) {
    const list = listOf(column);
    const size = (row) => Number(row.dataset.strength || 0);
    const inZone = (verdict) =>
      [...list.querySelectorAll(".row")].filter((row) =>
        verdict === "leave" ? !/accept|reject/.test(row.dataset.verdict) : row.dataset.verdict === verdict,
      );
    const [accepted, open, rejected] = ZONES.map(inZone);
    accepted.sort((one, other) => size(other) - size(one));
    rejected.sort((one, other) => size(one) - size(other));
    const lines = [lineOf(list, "accept"), lineOf(list, "reject")];
    const order = [...accepted, lines[0], ...open, lines[1], ...rejected];
    // Only where it differs: a row that is moved loses the focus.
    if (order.some((item, at) => item !== list.children[at])) list.append(...order);
  },

  /** Put rows where a letter that was not sent yet says. */
  restore(column, { best_first, worst_first }, paint) {
    const list = listOf(column);
    const rows = (words) => words.map((word) => document.getElementById(`w-${word}`)).filter(Boolean);
    const ranked = new Set([...best_first, ...worst_first].map(String));
    const open = [...list.querySelectorAll(".row")].filter((row) => !ranked.has(row.dataset.word));
    lineOf(list, "accept").before(...rows(best_first));
    lineOf(list, "reject").before(...open);
    lineOf(list, "reject").after(...rows(worst_first).reverse());
    settle(list, paint);
  },
};

/** Let rows be dragged by their grips. */
export function drag(column, drop, paint) {
  const list = listOf(column);
  for (const grip of list.querySelectorAll("[data-grip]")) grip.hidden = false;
  list.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest("[data-grip]");
    if (!grip) return;
    event.preventDefault();
    const row = grip.closest(".row");
    row.dataset.dragged = "";
    const follow = ({ pointerId, clientY }) => {
      if (pointerId !== event.pointerId) return;
      const others = [...list.children].filter((one) => one !== row);
      const next = others.find((one) => {
        const box = one.getBoundingClientRect();
        return clientY < box.top + box.height / 2;
      });
      if (next === row.nextElementSibling) return;
      if (next) next.before(row);
      else list.append(row);
    };
    const end = ({ pointerId }) => {
      if (pointerId !== event.pointerId) return;
      for (const [kind, listener] of Object.entries(listeners)) removeEventListener(kind, listener);
      delete row.dataset.dragged;
      if (row.dataset.verdict === "left") paint(row, { verdict: "leave", strength: null });
      settle(list, paint);
      drop(row);
    };
    // On the window: a row that moves in the document loses the capture of its pointer.
    const listeners = { pointermove: follow, pointerup: end, pointercancel: end };
    for (const [kind, listener] of Object.entries(listeners)) addEventListener(kind, listener);
  });
}
