/* One stream's desk: its camera, its figures, its panic button, what it hides. */
import { ask, badge, element, make, say, write } from "/web/site.js";
import { asOperator, mayChange, operate, sure } from "/web/operator.js";
import { arrival, deskOf, keepCamera, keptCamera, randomKey, standing, takesCamera, takesPush, veil } from "/web/desk.js";
import { NotSent, send } from "/web/whip.js";

const EVERY_MS = 2000;
const LABELS = ["license_plate", "id_card", "shipping_label"];
const id = location.pathname.split("/").pop();
const allowed = new URLSearchParams(location.search).get("at"); // by this page's security policy

let one = null;
let agent = null;
let sending = null;
let media = null;

async function viewers() {
  try {
    const found = await ask(`/v1/directory?limit=500&q=${encodeURIComponent(one.title.slice(0, 100))}`);
    return found.streams.find((each) => each.id === id)?.viewers ?? 0;
  } catch {
    return 0;
  }
}

function tile(name, value, wrong = false) {
  return make("div", {}, make("dt", { textContent: say(name) }), make("dd", { textContent: value, className: wrong ? "wrong" : "", data: { figure: name } }));
}

function showFigures(watching) {
  const counts = agent.telemetry?.streams?.find((each) => each.id === id) ?? {};
  const state = agent.stream_states?.[id] ?? {};
  const seconds = (value) => `${(value ?? 0).toFixed(2)} s`;
  element("figures").replaceChildren(
    tile("figFps", (state.past ? 0 : state.fps ?? 0).toFixed(1)),
    tile("figVeiled", counts.frames_veiled ?? 0),
    tile("figRescued", counts.frames_rescued ?? 0),
    tile("figAge", seconds(counts.decision_age)),
    tile("figDelay", seconds(state.delay)),
    tile("figViewers", watching),
    tile("unverified", counts.unverified_frames_sent ?? 0, counts.unverified_frames_sent > 0),
  );
}

const protection = () => one.protection ?? agent.protection;

async function hide(label, on) {
  if (!on && !(await sure(say("hideSure", { what: say(label) }), say("hideOff")))) return load();
  const before = protection();
  const rule = { ...before.classes[label], hide: on };
  const body = { protection: { ...before, classes: { ...before.classes, [label]: rule } } };
  try {
    await asOperator(`/v1/streams/${id}`, { method: "PATCH", body });
    write(element("saved"), say(on ? "hideOnTold" : "hideOffTold"));
  } catch (problem) {
    write(element("saved"), say("failedAsk", { why: problem.message }));
  }
  return load();
}

function showClasses() {
  const focused = document.activeElement?.dataset?.hide;
  const held = (agent.reported?.held_back ?? []).filter((each) => each.stream === id).map((each) => each.path);
  element("classes").replaceChildren(...LABELS.map((label) => {
    const on = protection().classes[label].hide;
    const waits = held.includes(`classes.${label}.hide`);
    const box = make("input", { type: "checkbox", checked: on, disabled: !mayChange(), data: { hide: label } });
    box.setAttribute("aria-describedby", `cost-${label}`);
    box.addEventListener("change", () => hide(label, box.checked));
    const cost = waits ? say("heldBackHere") : say(on ? "costOn" : "costOff", { what: say(label) });
    return make("li", {}, make("label", { className: "choice" }, box, make("span", { textContent: say(label) })),
      make("p", { className: waits ? "note wrong" : "quiet", id: `cost-${label}`, textContent: cost }));
  }));
  if (focused) element("classes").querySelector(`[data-hide="${focused}"]`)?.focus();
}

function showCamera() {
  element("camera").hidden = !takesCamera(one);
  element("push").hidden = !takesPush(one);
  const reachable = allowed !== null;
  element("atrow").hidden = element("atwhy").hidden = reachable;
  element("at").required = !reachable;
  write(element("start"), say(reachable ? "cameraStart" : "cameraUse"));
  element("start").hidden = sending !== null;
  element("stop").hidden = sending === null;
  element("start").disabled = !mayChange();
}

async function load() {
  one = await asOperator(`/v1/streams/${id}`);
  const [found, watching] = await Promise.all([asOperator(`/v1/agents/${one.agent}`), viewers()]);
  agent = found;
  document.title = `${one.title} – Veilcast`;
  write(element("title"), one.title);
  element("badge").replaceChildren(badge(one.state));
  write(element("run"), `${one.agent} · ${standing(one)}`);
  element("open").href = `/watch/${id}`;
  showFigures(watching);
  showClasses();
  showCamera();
}

/* Where the camera goes, with a key that this tab knows: the stream's, or a new one, which voids the
   old and makes the agent begin anew. */
async function place() {
  const kept = keptCamera(id);
  if (kept?.at === allowed) return { stream: id, at: allowed, key: kept.key, before: null };
  const { voucher } = await asOperator(`/v1/streams/${id}/camera`);
  const key = randomKey();
  await asOperator(`/v1/streams/${id}`, { method: "PATCH", body: { source: { url: one.source.url, key } } });
  keepCamera(id, allowed, key);
  return { stream: id, at: allowed, key, before: voucher };
}

async function start(event) {
  event.preventDefault();
  if (allowed === null) return moveTo(element("at").value.trim());
  if (!isSecureContext) return write(element("refused"), say("cameraInsecure"));
  element("start").disabled = true;
  write(element("refused"), "");
  write(element("sent"), say("cameraAsking"));
  try {
    const [width, height] = element("resolution").value.split("x").map(Number);
    media = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } },
      audio: element("microphone").checked,
    });
    element("raw").srcObject = media;
    element("raw").play().catch(() => {});
    const bitrate = Number(element("bitrate").value);
    sending = await send(await place(), { media, bitrate, changed });
    write(element("sent"), say("cameraSent", { agent: one.agent }));
  } catch (problem) {
    stop();
    write(element("sent"), "");
    write(element("refused"), why(problem));
  }
  return showCamera();
}

function why(problem) {
  const values = { at: allowed, agent: one.agent, why: problem.message };
  if (problem instanceof NotSent) return say(problem.kind, values);
  return say(problem.name === "NotAllowedError" ? "cameraDenied" : "failedAsk", values);
}

function moveTo(address) {
  try {
    const { origin, protocol } = new URL(address);
    if (!/^https?:$/.test(protocol)) throw new TypeError();
    location.assign(`/live/${id}?at=${encodeURIComponent(origin)}`);
  } catch {
    write(element("refused"), say("cameraAtWrong"));
  }
}

function changed(state) {
  if (!["failed", "disconnected", "closed"].includes(state) || !sending) return;
  stop();
  write(element("sent"), "");
  write(element("refused"), say("cameraLost"));
  showCamera();
}

function stop() {
  sending?.stop();
  for (const track of media?.getTracks() ?? []) track.stop();
  element("raw").srcObject = null;
  sending = media = null;
}

element("send").addEventListener("submit", start);
element("stop").addEventListener("click", () => { stop(); write(element("sent"), say("cameraStopped")); showCamera(); });
element("panic").addEventListener("click", async () => write(element("told"), await veil(one)));
element("test").addEventListener("click", async () => write(element("tested"), await arrival(id)));
addEventListener("pagehide", stop);
operate(async () => {
  await load();
  if (!allowed && takesCamera(one) && deskOf(one).includes("?")) location.replace(deskOf(one));
});
setInterval(() => { if (!document.hidden && one && !element("inside").hidden) load().catch(() => {}); }, EVERY_MS);
