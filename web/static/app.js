// The one script. Every page works without it.

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
