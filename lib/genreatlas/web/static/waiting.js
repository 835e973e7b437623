// Poll the state of an analysis, and reload its page when it is complete.
const status = document.getElementById("progress-words");
const id = status.dataset.analysis;
const WORDS = { queued: "Waiting for its turn", running: "Decoding and computing features" };
const PAUSE_MS = 400;

async function look() {
  try {
    const answer = await fetch(`/rest/analysis?analysis_id=${encodeURIComponent(id)}`);
    if (answer.ok) {
      const told = await answer.json();
      if (told.state === "done" || told.state === "failed") return location.reload();
      const before = told.before ? `, ${told.before} before it` : "";
      const words = `${WORDS[told.state]}${before} …`;
      if (status.textContent !== words) status.textContent = words;
    } else if (answer.status === 404) {
      return location.reload();
    } else {
      status.textContent = "The site cannot tell now; nothing is lost. Asking again …";
    }
  } catch {
    status.textContent = "The site does not answer now; nothing is lost. Asking again …";
  }
  setTimeout(look, PAUSE_MS);
}
setTimeout(look, PAUSE_MS);
