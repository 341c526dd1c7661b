// Comfort only: every page can be read, and results computed, without this file.
"use strict";

const AGES = [["day", 86400], ["hour", 3600], ["minute", 60]];
const POLL_MILLISECONDS = 700;
const POLL_AFTER_FAILURE_MILLISECONDS = 3000;

const ages = new Intl.RelativeTimeFormat("en", { numeric: "always" });
// With its zone, since beside it stand days and causes in UTC.
const moments = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

function age(at) {
  const seconds = (Date.now() - at) / 1000;
  const unit = AGES.find(([, size]) => seconds >= size);
  return unit ? ages.format(-Math.floor(seconds / unit[1]), unit[0]) : "just now";
}

function showTimes() {
  for (const time of document.querySelectorAll("time.moment")) {
    const at = new Date(time.dateTime);
    time.textContent = moments.format(at);
    time.title = at.toISOString();
  }
}

function showAges() {
  for (const time of document.querySelectorAll("time.age")) {
    time.textContent = age(new Date(time.dateTime));
  }
}

async function follow(section) {
  const answer = await fetch(section.dataset.poll, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const task = await answer.json();
  if (task.state === "COMPLETED" || task.state === "FAILED") {
    window.location.reload();
    return;
  }
  section.querySelector("progress").value = task.progress;
  section.querySelector(".progress-note").textContent = task.note;
  setTimeout(poll, POLL_MILLISECONDS, section);
}

function poll(section) {
  follow(section).catch(() => setTimeout(poll, POLL_AFTER_FAILURE_MILLISECONDS, section));
}

function offerCopying(command) {
  const button = command.querySelector("button.copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

showTimes();
showAges();
setInterval(showAges, 30_000);
const running = document.getElementById("running");
if (running) poll(running);
// Browsers offer the clipboard on https and localhost only.
if (navigator.clipboard) document.querySelectorAll(".command").forEach(offerCopying);
