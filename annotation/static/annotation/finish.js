// The last page: nothing is submitted before every answer has reached the server.

import { Outbox, setClockByPage } from "./queue.js";

const form = document.querySelector("form.submit");
const line = document.querySelector(".status");

function say(state, detail) {
  line.dataset.state = state;
  line.textContent = [line.dataset[state], detail].filter(Boolean).join(" ");
}

setClockByPage(form.dataset.now);
const outbox = new Outbox({
  task: form.dataset.queue,
  url: form.dataset.answers,
  say,
  over: () => location.reload(),
});

// What was answered elsewhere in this browser arrives first; then the page tells what is stored.
if (!outbox.isEmpty) {
  say("saving");
  outbox.whenEmpty(() => location.reload());
}

form.addEventListener("submit", (event) => {
  if (!outbox.pending.length) return;
  event.preventDefault();
  outbox.whenEmpty(() => form.submit());
});
