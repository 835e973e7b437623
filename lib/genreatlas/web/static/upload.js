// Upload several files one after the other; a single file is sent by the form.
const form = document.querySelector("form.drop");
const field = form?.querySelector("input[type=file]");
const said = document.getElementById("sent");

async function send(files) {
  const button = form.querySelector("button");
  button.disabled = true;
  const refused = [];
  for (const [place, file] of files.entries()) {
    said.textContent = `Sending ${place + 1} of ${files.length} …`;
    const body = new FormData();
    body.append("token", form.elements.token.value);
    if (form.elements.keep?.checked) body.append("keep", "true");
    body.append("file", file);
    const reason = await sent(body);
    if (reason) refused.push(`${file.name}: ${reason}`);
  }
  button.disabled = false;
  if (refused.length) said.textContent = `Refused: ${refused.join("; ")}. The other files were accepted.`;
  else location.assign("/analyses");
}

// Reason why a file was refused; empty if it was accepted. On 429 the client waits for the time in Retry-After.
async function sent(body) {
  for (;;) {
    let answer;
    try {
      answer = await fetch("/rest/analysis", { method: "POST", body });
    } catch {
      return "the site does not respond";
    }
    if (answer.ok) return "";
    if (answer.status === 429) {
      const seconds = Number(answer.headers.get("retry-after")) || 5;
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      continue;
    }
    try {
      return (await answer.json()).detail;
    } catch {
      return `HTTP status ${answer.status}`;
    }
  }
}

form?.addEventListener("submit", (event) => {
  if (field.files.length < 2) return;
  event.preventDefault();
  send([...field.files]);
});
