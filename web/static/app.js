// The one script. Every page works without it.

// Pages and mail show times in the browser's own zone, unless the user chose another.
// Every page sets it, so that the first form that is sent has it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes("gatelodge-own-zone=" + zone)) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = "gatelodge-own-zone=" + zone + "; Path=/; SameSite=Lax; Max-Age=34560000" + secure;
}

// A second click while a form is on its way is ignored: it would cancel the first
// answer, and with it what that answer brings. After a few seconds a form may be sent
// again: a download leaves its page open, and a connection may have failed.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (form.dataset.sent) {
    e.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 5000);
});
// A page that comes back from the browser's memory has sent nothing yet.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A button that has to wait counts down and then says so. The server keeps the
// wait; this only shows it.
for (const button of document.querySelectorAll("button[data-wait]")) {
  const end = Date.now() + button.dataset.wait * 1000;
  const clock = button.querySelector(".num");
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      button.textContent = button.dataset.then;
      button.removeAttribute("aria-disabled");
      return;
    }
    clock.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
    setTimeout(tick, 250);
  };
  tick();
}

// pastedCode returns the six digits in a text as the server reads it, in the digits of
// any script, or "" where the text does not hold one number of six digits.
function pastedCode(text) {
  const numbers = text.normalize("NFKC").replace(/(?<=\p{Nd})[\s\p{Pd}\p{Cf}]+(?=\p{Nd})/gu, "").match(/\p{Nd}+/gu) || [];
  const codes = new Set(numbers.map((n) => n.replace(/\p{Nd}/gu, digit)).filter((n) => n.length === 6));
  return codes.size === 1 ? [...codes][0] : "";
}
// The ten digits of a script stand next to one another in Unicode.
function digit(c) {
  const zero = c.codePointAt(0);
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - value - 1))) value++;
  return String(value);
}
// A code that is pasted or dropped with the words around it fills its field alone. Any
// other text stays as it is, for the server to say what is wrong.
for (const input of document.querySelectorAll(".code-in")) {
  for (const name of ["paste", "drop"]) {
    input.addEventListener(name, (e) => {
      const code = pastedCode((e.clipboardData || e.dataTransfer).getData("text"));
      if (!code) return;
      e.preventDefault();
      input.value = code;
    });
  }
}

// The button shows and hides what is typed. Caps Lock is pointed out.
for (const peek of document.querySelectorAll(".peek")) {
  const input = document.getElementById(peek.getAttribute("aria-controls"));
  const words = [peek.textContent, peek.dataset.hide];
  const show = (on) => {
    input.type = on ? "text" : "password";
    peek.textContent = words[on ? 1 : 0];
  };
  peek.hidden = false;
  peek.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  // Browsers keep what was typed into a text field.
  input.form.addEventListener("submit", () => show(false));
  const caps = document.querySelector(`[data-caps-for="${input.id}"]`);
  for (const name of ["keydown", "keyup"]) {
    input.addEventListener(name, (e) => {
      caps.hidden = !(e.getModifierState && e.getModifierState("CapsLock"));
    });
  }
}

// What changes while somebody waits is asked for now and then, ever more rarely.
for (const part of document.querySelectorAll("[data-live]")) {
  let pause = 2000, shown = "";
  const look = async () => {
    if (!document.hidden) {
      const answer = await fetch(part.dataset.live).catch(() => null);
      const text = answer && answer.status === 200 && !answer.redirected ? await answer.text() : null;
      if (text !== null && text !== shown) part.innerHTML = shown = text;
      pause = Math.min(pause * 1.4, 60000);
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
}

// Text can be copied where the browser lets a page do so. The button says so for a while.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const word = button.firstElementChild, copy = word.textContent;
  let back;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    word.textContent = button.dataset.done;
    clearTimeout(back);
    back = setTimeout(() => (word.textContent = copy), 2000);
  });
}

// A strip of links that is wider than the screen shows the current one.
const showCurrent = () => {
  for (const current of document.querySelectorAll("nav > [aria-current]")) {
    const strip = current.parentElement.getBoundingClientRect(), at = current.getBoundingClientRect();
    current.parentElement.scrollBy((at.left + at.right - strip.left - strip.right) / 2, 0);
  }
};
showCurrent();
window.addEventListener("resize", showCurrent);
