// Keyboard and passkeys of the console. Everything but passkeys works without.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);

// Rows: j and k go down and up, Enter opens, / searches, g goes home, ? tells.
let at = -1;

function rows() {
  return [...document.querySelectorAll("table[data-rows] tbody tr")];
}

function choose(step) {
  const all = rows();
  if (all.length === 0) return;
  at = Math.min(Math.max(at + step, 0), all.length - 1);
  for (const [index, row] of all.entries()) row.classList.toggle("here", index === at);
  const link = $("a", all[at]);
  if (link) link.focus();
  all[at].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = $("input[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (event.key === "j") choose(1);
  else if (event.key === "k") choose(-1);
  else if (event.key === "g") location.assign("/console");
  else if (event.key === "?") $("#help")?.showModal();
});

// A form is sent once, however often somebody taps.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 5000);
});

// Passkeys. The server speaks base64url where the browser wants bytes.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.says ?? answer.title ?? "没有办成,再试一次。");
  return answer;
}

async function signIn() {
  const login = $("input[name=login]").value.trim();
  if (!login) throw new Error("先写登录名。");
  const asked = await post("/console/passkey/ask", { login });
  const options = asked.options.publicKey;
  options.challenge = bytes(options.challenge);
  for (const one of options.allowCredentials ?? []) one.id = bytes(one.id);
  const made = await navigator.credentials.get({ publicKey: options });
  const { response } = made;
  const credential = {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    extensions: made.getClientExtensionResults(),
    response: {
      authenticatorData: text(response.authenticatorData),
      clientDataJSON: text(response.clientDataJSON),
      signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : null,
    },
  };
  const back = $("input[name=back]")?.value ?? "/console";
  return post("/console/passkey/answer", { login, token: asked.token, credential, back });
}

async function add() {
  const asked = await post("/console/me/passkey/ask", {});
  const options = asked.options.publicKey;
  options.challenge = bytes(options.challenge);
  options.user.id = bytes(options.user.id);
  for (const one of options.excludeCredentials ?? []) one.id = bytes(one.id);
  const made = await navigator.credentials.create({ publicKey: options });
  const { response } = made;
  const credential = {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    extensions: made.getClientExtensionResults(),
    response: {
      attestationObject: text(response.attestationObject),
      clientDataJSON: text(response.clientDataJSON),
      transports: response.getTransports?.() ?? [],
    },
  };
  return post("/console/me/passkey/answer", { token: asked.token, credential });
}

for (const button of document.querySelectorAll("button[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  button.hidden = false;
  const says = $("[data-passkey-says]", button.parentElement);
  button.addEventListener("click", async () => {
    button.disabled = true;
    says.textContent = "";
    try {
      const answer = await (button.dataset.passkey === "add" ? add() : signIn());
      location.assign(answer.to);
    } catch (error) {
      says.textContent = error.name === "NotAllowedError" ? "没有确认,再试一次,或者用动态码。" : error.message;
      button.disabled = false;
    }
  });
}

// A job page renews itself while it works.
const running = $("[data-renew]");
if (running) setTimeout(() => location.reload(), 1500);
