/* What both pages of a streamer ask of a stream. */
import { asOperator } from "/web/operator.js";
import { inLanguage, say } from "/web/site.js";
import { WORDS } from "/web/words.js";

const VEIL_WAIT_S = 5;
const KEPT = "veilcast.camera.";

export const takesCamera = (one) => /^listen:https?:/.test(one.source.url ?? "");
export const takesPush = (one) => /^listen:rtmp:/.test(one.source.url ?? "");

export function randomKey() {
  const letters = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(letters, (one) => one.toString(16).padStart(2, "0")).join("");
}

/* Where a camera goes and with which key; known in this tab alone. */
export function keptCamera(stream) {
  return JSON.parse(sessionStorage.getItem(KEPT + stream) ?? "null");
}

export function keepCamera(stream, at, key) {
  sessionStorage.setItem(KEPT + stream, JSON.stringify({ at, key }));
}

/* The stream's own page; what it may connect to beside the control plane stands in its address. */
export function deskOf(one) {
  const page = `/live/${one.id}`;
  if (!takesCamera(one)) return page;
  const address = new URL(one.source.url.slice("listen:".length));
  const at = keptCamera(one.id)?.at ?? (address.hostname === "127.0.0.1" ? address.origin : null);
  return at ? `${page}?at=${encodeURIComponent(at)}` : page;
}

/* Whether a stream runs, and why it is not protected, in words: a reason that has none is as the device
   names it. */
export function standing(one) {
  const run = say(one.run ? `run_${one.run}` : "notNow");
  if (!one.reason || one.reason === one.run) return run;
  return `${run} · ${WORDS[inLanguage()][`why_${one.reason}`] ?? one.reason.replaceAll("_", " ")}`;
}

/* Veil the whole picture; what became of it, in words. */
export async function veil(one) {
  try {
    const path = `/v1/agents/${one.agent}/commands/veil?wait=${VEIL_WAIT_S}`;
    const { ack } = await asOperator(path, { method: "POST", body: { stream: one.id } });
    if (!ack) return say("veilSent");
    return ack.outcome === "done" ? say("veiled") : say("veilFailed", { why: ack.reason ?? ack.outcome });
  } catch (problem) {
    return say("veilFailed", { why: problem.message });
  }
}

/* Whether a picture arrives at the agent, in words. */
export async function arrival(stream) {
  const one = await asOperator(`/v1/streams/${stream}`);
  if (!one.agent_online) return say("testOffline", { agent: one.agent });
  if (one.source_connected) return say("testArrives");
  return one.run === "waiting" ? say("testWaits") : say("testNot", { why: standing(one) });
}
