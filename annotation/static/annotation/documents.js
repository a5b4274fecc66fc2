// The page of a text: one of its categories, "can't tell", or nothing yet.

const buttons = () => [...document.querySelectorAll(".choices [aria-pressed]")];
const undoButton = () => document.querySelector(".choices .undo");
const subject = ({ task }) => `label:${task.dataset.document}`;

/** Return the label that is chosen: a number, "none", or undefined for no answer. */
const chosen = () => buttons().find((one) => one.getAttribute("aria-pressed") === "true")?.dataset.label;

function paint(label) {
  for (const button of buttons()) {
    button.setAttribute("aria-pressed", String(button.dataset.label === label));
  }
  undoButton().hidden = label === undefined;
}

/** Show and save a label; the one that the text already has is taken back. */
function choose(page, label) {
  const now = label === chosen() || label === "undo" ? undefined : label;
  if (now === chosen()) return;
  if (undoButton() === document.activeElement) buttons()[0].focus(); // it is about to be hidden
  paint(now);
  const said = { document: Number(page.task.dataset.document), withdrawn: now === undefined };
  said.label = now === undefined || now === "none" ? null : Number(now);
  page.outbox.put(subject(page), "label", said, { saw: Number(page.task.dataset.revision) });
}

const asShown = ({ label, withdrawn }) => (withdrawn ? undefined : label === null ? "none" : String(label));

export function showDocument() {
  undoButton().hidden = chosen() === undefined;
}

/** Show what the server says that the label is, unless a newer choice is on its way. */
export function standDocument(page, standing) {
  page.task.dataset.revision = standing.revision;
  if (!page.outbox.about(subject(page))) paint(asShown(standing));
}

standDocument.pending = (page, letter) => letter.subject === subject(page) && paint(asShown(letter));

export function actOnDocument(page, event) {
  const button = event.target.closest(".choices button");
  if (!button) return;
  event.preventDefault();
  choose(page, button.dataset.label);
}

actOnDocument.key = (page, key) => {
  if (key === "u") return () => choose(page, "undo");
  if (!/^[0-9]$/.test(key)) return undefined;
  const button = key === "0" ? buttons().at(-1) : buttons().slice(0, -1)[Number(key) - 1];
  return button && (() => choose(page, button.dataset.label));
};
