// Reload the part of a page with `data-refresh` every two seconds. When it comes without that attribute, reload the
// whole page, because everything else on it has changed as well.
"use strict";

async function refresh() {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  try {
    const answer = await fetch(part.dataset.refresh, { redirect: "error" });
    if (answer.ok) {
      const opened = [...part.querySelectorAll("details")].map((each) => each.open);
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      const now = template.content.firstElementChild;
      now.querySelectorAll("details").forEach((each, at) => { each.open = opened[at] ?? false; });
      part.replaceWith(now);
      if (!now.dataset.refresh) return location.reload();
    }
  } catch {
    // The server is not reachable at the moment: try again.
  }
  setTimeout(refresh, 2000);
}

document.addEventListener("DOMContentLoaded", () => setTimeout(refresh, 2000));
