// Comfort on top of pages that work without it: nothing here decides anything.
"use strict";

const say = (words) => {
  const live = document.getElementById("live");
  if (live) live.textContent = words;
};

// Buttons that only make sense with script are hidden in the markup and shown here.
function prepare(root) {
  for (const button of root.querySelectorAll("button[data-show], button[data-copy], button[data-print]")) {
    button.hidden = false;
  }
  const scan = root.querySelector("button[data-scan]");
  if (scan && "BarcodeDetector" in window && navigator.mediaDevices) scan.hidden = false;
  const near = root.querySelector("form[data-near]");
  if (near && "geolocation" in navigator) near.hidden = false;
  for (const box of root.querySelectorAll("[data-until]")) countdown(box);
  for (const box of root.querySelectorAll("[data-refresh]")) renew(box);
  for (const box of root.querySelectorAll("[data-amounts]")) addUp(box);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.show) {
    const input = document.getElementById(button.dataset.show);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.firstChild.textContent = shown ? "显示" : "隐藏";
    button.setAttribute("aria-pressed", String(!shown));
    input.focus();
  } else if (button.dataset.copy) {
    copy(button);
  } else if (button.dataset.print !== undefined) {
    window.print();
  } else if (button.dataset.scan) {
    scan(button);
  } else if (button.dataset.scanStop !== undefined) {
    stopCamera();
  }
});

async function copy(button) {
  const words = button.firstChild;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    words.textContent = "已复制";
    say("已复制");
  } catch {
    words.textContent = "请长按复制";
  }
  setTimeout(() => { words.textContent = "复制"; }, 2000);
}

// Nearest first: the browser asks the person, the position goes along with this one form. To a hundred metres: nobody needs the house.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.near === undefined || form.dataset.located) return;
  event.preventDefault();
  const words = form.querySelector("p");
  const put = (name, degrees) => { form.querySelector(`[name="${name}"]`).value = degrees.toFixed(3); };
  words.textContent = "正在看你在哪里……";
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      put("latitude", coords.latitude);
      put("longitude", coords.longitude);
      form.dataset.located = "yes";
      form.requestSubmit();
    },
    () => {
      words.textContent = "拿不到位置。可以按地区、区县来找。";
      say(words.textContent);
    },
    { maximumAge: 60000, timeout: 10000 },
  );
});

// A second tap on the same form is swallowed; the key in the form would make it harmless anyway.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
  // After a lost reply the person must be able to try again.
  setTimeout(() => { delete form.dataset.sent; button?.removeAttribute("aria-busy"); }, 8000);
});

// Coming back with the browser's back button restores the page as it was left: open the forms again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const form of document.querySelectorAll("form[data-located]")) delete form.dataset.located;
});

// Time left of a payment code. The phone's clock may be wrong, so only differences are used.
function countdown(box) {
  const left = box.querySelector("[data-left]");
  const until = Number(box.dataset.until) - Number(box.dataset.now);
  const start = performance.now();
  left.hidden = false;
  const tick = () => {
    if (!box.isConnected) return;
    const seconds = Math.max(0, Math.ceil((until - (performance.now() - start)) / 1000));
    left.textContent = seconds > 0 ? `还剩 ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "过期了\uff0c请换一个新码";
    if (seconds > 0) setTimeout(tick, 500);
    else say("付款码过期了\uff0c请换一个新码");
  };
  tick();
}

// A waiting page asks again and replaces itself only when its state has changed.
function renew(box) {
  let seconds = Number(box.dataset.refresh);
  const again = async () => {
    if (!box.isConnected) return;
    if (document.visibilityState === "visible" && !busyTyping(box)) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
        if (answer.ok && !answer.redirected) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.querySelector("main");
          const state = page.querySelector("[data-refresh]")?.dataset.state;
          if (fresh && state !== box.dataset.state) {
            const main = document.querySelector("main");
            main.replaceChildren(...document.adoptNode(fresh).childNodes);
            document.title = page.title;
            prepare(main);
            say(main.querySelector("h1")?.textContent ?? page.title);
            return;
          }
        }
      } catch {
        // Offline for a moment: ask again later.
      }
      seconds = Math.min(seconds * 1.2, 30);
    }
    setTimeout(again, seconds * 1000);
  };
  setTimeout(again, seconds * 1000);
}

const busyTyping = (box) => box.contains(document.activeElement) && document.activeElement.matches("input, select");

// Tells the cashier while typing whether the parts add up to the total; the server decides.
function addUp(box) {
  const hint = box.querySelector("[data-sum]");
  const words = hint.textContent;
  const fen = (name) => {
    const typed = box.querySelector(`[name="${name}"]`).value.replace(/[,\uff0c\u00a5\uffe5\s]/g, "");
    if (typed === "") return 0;
    const parts = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(typed);
    return parts ? Number(parts[1]) * 100 + Number((parts[2] ?? "0").padEnd(2, "0")) : NaN;
  };
  const check = () => {
    const gap = fen("total") - fen("fund") - fen("own") - fen("institution");
    const off = fen("total") > 0 && fen("own") > 0 && gap !== 0 && !Number.isNaN(gap);
    hint.classList.toggle("off", off);
    hint.textContent = off ? `差 ¥${(Math.abs(gap) / 100).toFixed(2)}\uff1a总额${gap > 0 ? "大于" : "小于"}三部分之和。` : words;
  };
  box.addEventListener("input", check);
  check();
}

// Reading the payment code with the camera, where the browser can.
let stream = null;

async function scan(button) {
  const input = document.getElementById(button.dataset.scan);
  const box = document.querySelector("[data-camera]");
  const video = box.querySelector("video");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    say("打不开摄像头\uff0c请用扫码枪或手工输入");
    input.focus();
    return;
  }
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  video.srcObject = stream;
  box.hidden = false;
  await video.play();
  const look = async () => {
    if (!stream) return;
    const found = await detector.detect(video).catch(() => []);
    if (found.length > 0) {
      input.value = found[0].rawValue;
      stopCamera();
      say("扫到了付款码");
      document.getElementById("total")?.focus();
      return;
    }
    requestAnimationFrame(look);
  };
  look();
}

function stopCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  const box = document.querySelector("[data-camera]");
  if (box) box.hidden = true;
}

prepare(document);
// The first problem of a form gets the focus, so that a reader hears what to correct.
document.getElementById("problems")?.focus();
