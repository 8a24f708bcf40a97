"use strict";

const SIGNS = { PROTECTED: "✔", DEGRADED: "▦", HELD: "⏸", OFF: "⚠", LOST: "✖" };
const NAMES = { license_plate: "License plates", id_card: "ID cards", shipping_label: "Shipping labels" };
const SILENCE_MS = 3000;
const element = (id) => document.getElementById(id);

let lastHeard = 0;
let panicking = false;
let events = null;

function meaning(now) {
  if (now.panic) return "You pressed panic. Viewers see a plain slate until you release it.";
  const why = now.reason ? ` Why: ${now.reason}.` : "";
  switch (now.state) {
    case "PROTECTED": return "Every picture was checked before it left; what was found is hidden.";
    case "DEGRADED": return `Pictures leave veiled as a whole: they could not be checked.${why}`;
    case "HELD": return `Nothing of your picture leaves.${why}`;
    case "OFF": return "The picture leaves bare. Somebody at this device allowed it for a while.";
    default: return now.reason;
  }
}

/* Written only when it changes: a screen reader says every change of the badge. */
function say(id, text) {
  const target = element(id);
  if (target.textContent !== String(text)) target.textContent = text;
}

function badge(state, word, words) {
  document.body.dataset.state = state;
  document.title = `${word} – Veilcast`;
  say("sign", SIGNS[state]);
  say("state", word);
  say("meaning", words);
}

function rows(id, pairs, otherwise) {
  const list = pairs.length ? pairs : [[otherwise, ""]];
  const items = list.map(([name, value]) => {
    const item = document.createElement("li");
    const number = document.createElement("b");
    number.textContent = value;
    item.append(name, number);
    return item;
  });
  element(id).replaceChildren(...items);
}

function sinkWord(sink) {
  if (sink.failed) return "failed, given up";
  return sink.connected ? "connected" : "connecting…";
}

function frameSize(width, height) {
  element("video").hidden = width === 0;
  element("nothing").hidden = width > 0;
  if (width > 0) element("video").style.aspectRatio = `${width} / ${height}`;
}

function show(now) {
  lastHeard = Date.now();
  panicking = now.panic;
  badge(now.state, now.panic ? "HELD: PANIC" : now.state, meaning(now));
  frameSize(now.width, now.height);
  element("panic").hidden = now.panic;
  element("release").hidden = !now.panic;
  say("fps", now.fps.toFixed(1));
  say("delay", now.delay_seconds === null ? "–" : `${now.delay_seconds.toFixed(2)} s`);
  say("looks", now.looks_per_second.toFixed(1));
  say("now", now.boxes.length);
  say("rescued", now.counts.rescued);
  say("unverified", now.unverified_frames_sent);
  element("unverified").classList.toggle("wrong", now.unverified_frames_sent > 0);
  rows("objects", Object.entries(now.counts.objects).map(([label, n]) => [NAMES[label], n]));
  rows("veiled", Object.entries(now.counts.veil_reasons), "None");
  rows("sinks", now.sinks.map((sink) => [sink.url, sinkWord(sink)]), "Nowhere: this is a preview");
}

function lost() {
  badge("LOST", "NO CONTACT", "The agent does not answer: what you see here may be old.");
}

function watch() {
  element("video").src = `video.mjpeg?outlines=${element("outlines").checked ? 1 : 0}&at=${Date.now()}`;
}

function connect() {
  events = new EventSource("events");
  events.onopen = watch;
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = lost;
}

/* A hidden page gives its connections back: a browser allows few to one host, and panic needs one. */
function rest() {
  events.close();
  element("video").removeAttribute("src");
}

async function post(path) {
  say("alert", "");
  try {
    const answer = await fetch(path, { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    show(await answer.json());
  } catch {
    say("alert", `The agent did not take the ${path}. Stop it in its window with Ctrl+C.`);
  }
}

const panic = () => post("panic");

element("panic").addEventListener("click", panic);
element("release").addEventListener("click", () => element("confirm").showModal());
element("confirm").addEventListener("close", () => {
  if (element("confirm").returnValue === "release") post("release");
  element("confirm").returnValue = "";
});
element("outlines").addEventListener("change", watch);
document.addEventListener("keydown", (event) => {
  const plainKey = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
  if (event.key.toLowerCase() === "p" && plainKey && !panicking) panic();
});
document.addEventListener("visibilitychange", () => (document.hidden ? rest() : connect()));
setInterval(() => {
  if (!document.hidden && Date.now() - lastHeard > SILENCE_MS) lost();
}, 1000);

connect();
