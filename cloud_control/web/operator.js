/* An operator's part of the pages: the token, the fleet's news, a question before what hurts. */
import { Refused, ask, element, say, whenLanguageChanges, write } from "/web/site.js";

const KEPT = "veilcast.token";
const RANK = { viewer: 0, operator: 1, admin: 2 };
const PAUSE_MS = 1500;

let token = sessionStorage.getItem(KEPT);
let me = null;
let loading = false;
let again = false;

export const asOperator = (path, options = {}) => ask(path, { ...options, token });
export const mayChange = () => RANK[me?.role] >= RANK.operator;

/* Resolves to whether the person said yes. */
export function sure(question, yes) {
  const dialog = element("sure");
  write(element("question"), question);
  write(element("yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/* Ask for a token unless this tab has one; then load, and load again whenever there is news. */
export function operate(load) {
  element("gate").addEventListener("submit", (event) => {
    event.preventDefault();
    token = element("token").value.trim();
    enter(load);
  });
  element("leave").addEventListener("click", () => {
    sessionStorage.removeItem(KEPT);
    location.reload();
  });
  whenLanguageChanges(() => { if (me) { greet(); guarded(load); } });
  if (token) enter(load);
  else element("gate").hidden = false;
}

async function enter(load) {
  try {
    me = await asOperator("/v1/whoami");
  } catch (problem) {
    element("gate").hidden = false;
    write(element("refusal"), problem.status === 401 ? say("badToken") : problem.message);
    return;
  }
  sessionStorage.setItem(KEPT, token);
  element("token").value = "";
  element("gate").hidden = true;
  element("inside").hidden = false;
  greet();
  listen(load);
}

function greet() {
  write(element("whoami"), say("asWhom", { name: me.name, role: me.role }));
}

/* One at a time: an older answer must not be shown over a newer one. */
async function guarded(load) {
  again = true;
  if (loading) return;
  loading = true;
  while (again) {
    again = false;
    try {
      await load();
      write(element("contact"), "");
    } catch (problem) {
      write(element("contact"), problem instanceof Refused ? problem.message : say("noContact"));
    }
  }
  loading = false;
}

/* EventSource cannot carry a token, so the lines are read by hand; what they say is asked anew. First the
   line, then what is there: what happens in between is told. A page that is left hangs up, as browsers
   have few connections; one that is come back to goes on. */
async function listen(load) {
  let line;
  addEventListener("pagehide", () => line.abort());
  for (;;) {
    line = new AbortController();
    try {
      const answer = await fetch("/v1/events", { headers: { Authorization: `Bearer ${token}` }, signal: line.signal });
      if (!answer.ok) throw new Refused(answer.status, answer.statusText);
      guarded(load);
      const lines = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let due = 0;
      for (let piece = await lines.read(); !piece.done; piece = await lines.read()) {
        if (piece.value.includes("event:") && !due) {
          due = setTimeout(() => { due = 0; guarded(load); }, PAUSE_MS);
        }
      }
    } catch {
      if (!line.signal.aborted) {
        await guarded(load);
        write(element("contact"), say("noContact"));
      }
    }
    await new Promise((resolve) => { setTimeout(resolve, 2 * PAUSE_MS); });
  }
}
