// Poll the state of an analysis, and reload its page when it is complete.
const status = document.getElementById("progress-words");
const id = status.dataset.analysis;
const WORDS = { queued: "Waiting in the queue", running: "Decoding and computing features" };
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
      status.textContent = "The state is not available; no data is lost. Trying again …";
    }
  } catch {
    status.textContent = "The site does not respond; no data is lost. Trying again …";
  }
  setTimeout(look, PAUSE_MS);
}
setTimeout(look, PAUSE_MS);
