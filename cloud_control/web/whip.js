/* Sends a camera to an agent over WebRTC (WHIP), and to nobody else: the page's part of
   "A browser's camera" in docs/protocol.md. */
import { asOperator } from "/web/operator.js";

const PATIENCE_MS = 30000;
const PROOF_MS = 5000;
const PAUSE_MS = 700;
const POST_MS = 10000;
const AUDIENCE = "veilcast-camera";

/* Why a camera is not sent; `kind` names the words for it. */
export class NotSent extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
  }
}

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const plain = (text) => bytes(text.replaceAll("-", "+").replaceAll("_", "/"));

async function signedBy(key, signed, signature) {
  const kind = { name: "ECDSA", namedCurve: "P-256" };
  const known = await crypto.subtle.importKey("spki", bytes(key), kind, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, known, signature, signed);
}

/* The SHA-256 of the certificate that the stream's enrolled agent vouches for, or null. */
export async function vouchedFor({ voucher, keys, subject }, stream) {
  if (!voucher) return null;
  try {
    const [head, body, signature] = voucher.split(".");
    const signed = new TextEncoder().encode(`${head}.${body}`);
    const claims = JSON.parse(new TextDecoder().decode(plain(body)));
    const right = claims.aud === AUDIENCE && claims.sub === subject && claims.stream === stream;
    for (const key of right ? keys : []) {
      if (await signedBy(key, signed, plain(signature))) return claims.sha256;
    }
  } catch { /* what cannot be read vouches for nothing */ }
  return null;
}

/* An answer with its SHA-256 fingerprints alone, and these; others could name another certificate. */
export function fingerprinted(answer) {
  const lines = answer.split(/\r?\n/).filter((line) => !/^a=fingerprint:(?!sha-256 )/i.test(line));
  const shown = lines.filter((line) => /^a=fingerprint:/i.test(line))
    .map((line) => line.split(" ")[1].replaceAll(":", "").toLowerCase());
  return { sdp: lines.join("\r\n"), shown: new Set(shown) };
}

async function prove(stream, shown) {
  const until = Date.now() + PROOF_MS;
  do { // the agent may have begun anew: then its new voucher is on its way
    const told = await vouchedFor(await asOperator(`/v1/streams/${stream}/camera`), stream);
    if (told && shown.size === 1 && shown.has(told)) return;
    await rest(PAUSE_MS);
  } while (Date.now() < until);
  throw new NotSent("notAgent");
}

async function offer(at, key, sdp) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/sdp" };
  const answer = await fetch(`${at}/whip`, {
    method: "POST", headers, body: sdp, credentials: "omit", redirect: "error", cache: "no-store",
    signal: AbortSignal.timeout(POST_MS),
  });
  const text = await answer.text();
  if (answer.status === 409) throw new NotSent("cameraBusy");
  if (answer.status !== 201) throw new NotSent(answer.status === 401 ? "cameraKey" : "cameraRefused", text.trim());
  return { text, session: new URL(answer.headers.get("Location"), at).href };
}

/* The answer of what waits at `at`. An agent that was told a moment ago takes a few seconds: until
   then it has no voucher, or one that is of before. */
async function answered({ stream, at, key, before }, sdp) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    let problem = new NotSent("cameraNoVoucher");
    try {
      const { voucher } = await asOperator(`/v1/streams/${stream}/camera`);
      if (voucher && voucher !== before) return await offer(at, key, sdp);
    } catch (found) {
      problem = found instanceof TypeError || found.name === "TimeoutError" ? new NotSent("cameraUnreachable") : found;
      if (problem.kind !== "cameraUnreachable" && problem.kind !== "cameraKey") throw problem;
    }
    if (Date.now() > until) throw problem;
    await rest(PAUSE_MS);
  }
}

/* Send `media` to the agent at `place`: { stream, at: an origin, key, before: its voucher before it
   was told that key, or null }. Until the other end has proved that it is the stream's agent, the
   connection has no track and no answer. Raises NotSent. */
export async function send(place, { media, bitrate, changed }) {
  const link = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  let session = null;
  const stop = () => {
    link.onconnectionstatechange = null;
    if (session) fetch(session, { method: "DELETE", keepalive: true, credentials: "omit" }).catch(() => {});
    session = null;
    link.close();
  };
  try {
    const tracks = media.getTracks().sort((one) => (one.kind === "video" ? -1 : 1));
    const senders = tracks.map((track) => link.addTransceiver(track.kind, { direction: "sendonly" }).sender);
    await link.setLocalDescription();
    const answer = await answered(place, link.localDescription.sdp);
    session = answer.session;
    const { sdp, shown } = fingerprinted(answer.text);
    await prove(place.stream, shown);
    await link.setRemoteDescription({ type: "answer", sdp });
    await Promise.all(senders.map((sender, index) => sender.replaceTrack(tracks[index])));
    const picture = senders.find((sender) => sender.track.kind === "video");
    const wanted = picture.getParameters();
    wanted.degradationPreference = "maintain-resolution";
    for (const one of wanted.encodings) one.maxBitrate = bitrate;
    await picture.setParameters(wanted);
  } catch (problem) {
    stop();
    throw problem;
  }
  link.onconnectionstatechange = () => changed(link.connectionState);
  return { link, stop };
}
