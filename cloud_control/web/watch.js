/* One stream: its player, and what may be claimed about it at this moment. */
import { Refused, ask, categories, element, followDirectory, make, say, time, whenLanguageChanges, write } from "/web/site.js";

const HLS = "application/vnd.apple.mpegurl";
const RETRY_MS = 3000;
const id = location.pathname.split("/").pop();
const viewer = crypto.getRandomValues(new Uint32Array(3)).join("-"); // tells players apart, for counting
const video = element("video");
const canPlay = video.canPlayType(HLS) !== "";

let stream = null;
let gone = false;
let contact = true;
let names = [];
let retry = 0;

function notice(...parts) {
  element("notice").hidden = parts.length === 0;
  const text = parts.map((part) => part.textContent ?? part).join(" ");
  if (element("notice").textContent !== text) element("notice").replaceChildren(...parts);
}

async function play() {
  clearTimeout(retry);
  video.src = `${stream.playback}?viewer=${viewer}`;
  video.hidden = false;
  try {
    await video.play();
  } catch (problem) {
    if (problem.name !== "NotAllowedError") return;
    video.muted = true; // browsers let sound begin only after a touch
    element("sound").hidden = false;
    await video.play().catch(() => {});
  }
}

function again() {
  clearTimeout(retry);
  if (stream?.live) retry = setTimeout(play, RETRY_MS);
}

function stop() {
  clearTimeout(retry);
  video.removeAttribute("src");
  video.load();
  video.hidden = true;
  element("sound").hidden = true;
}

function player() {
  if (gone) notice(say("unknownStream"));
  else if (!stream) notice(say("waiting"));
  else if (!stream.live) {
    if (!stream.may_return) stop(); // else it plays what it has, and goes on after the break
    notice(say(stream.may_return ? "interrupted" : "ended"));
  } else if (!canPlay) {
    const address = new URL(stream.playback, location.href).href;
    notice(say("noHls"), " ", make("a", { href: address, textContent: address }));
  } else {
    notice();
    if (!video.hasAttribute("src") || video.error || video.ended) play();
  }
}

function truth() {
  const ended = gone || (stream && !stream.live);
  element("truth").hidden = Boolean(ended);
  const state = (contact && stream?.state) || "UNKNOWN";
  element("truth").dataset.state = state;
  write(element("state"), say(state));
  write(element("meaning"), contact ? say(`means${state}`) : say("noContact"));
  write(element("exceptions"), contact && stream?.exceptions ? ` ${say("exceptions")}` : "");
}

function show() {
  const title = stream?.title ?? "…";
  document.title = `${title} – Veilcast`;
  write(element("title"), title);
  player();
  truth();
  const kind = names.find((known) => known.id === stream?.category)?.name ?? "";
  const facts = stream?.live
    ? [kind, say("viewers", { n: stream.viewers }), say("since", { at: time(stream.started_at) })] : [kind];
  element("facts").replaceChildren(...facts.map((text) => make("span", { textContent: text })));
}

async function find() {
  try {
    names = await categories();
    stream = await ask(`/v1/directory/${id}`);
    gone = false;
    contact = true;
  } catch (problem) {
    if (!(problem instanceof Refused)) return lost();
    contact = true;
    gone = stream === null || problem.status === 404;
  }
  return show();
}

function lost() {
  contact = false;
  show();
}

video.addEventListener("error", () => { if (video.hasAttribute("src")) again(); });
video.addEventListener("ended", again);
element("sound").addEventListener("click", () => { video.muted = false; element("sound").hidden = true; });
video.addEventListener("volumechange", () => { if (!video.muted) element("sound").hidden = true; });
const load = followDirectory({
  begin: find,
  news: (_, one) => {
    if (one.id !== id) return;
    stream = one;
    gone = false;
    contact = true;
    show();
  },
  lost,
});
whenLanguageChanges(() => (names.length ? load() : show()));
