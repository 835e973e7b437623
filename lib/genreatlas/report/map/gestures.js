// Mouse, touch and keyboard events on the canvas: move the camera and choose genres.

const PAN_BY = 80;
const CLICK_MOVES = 5;

export function listen(canvas, camera, actions) {
  const pointers = new Map();
  let travelled = 0;

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) travelled = 0;
    pointers.set(event.pointerId, at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) {
      actions.hover(...at(event));
      return;
    }
    const now = at(event);
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const factor = distance(now, other) / Math.max(1, distance(last, other));
      camera.zoomAt(factor, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      camera.pan((now[0] - last[0]) / 2, (now[1] - last[1]) / 2);
      travelled = Infinity;
    } else {
      travelled += distance(now, last);
      if (travelled > CLICK_MOVES) camera.pan(now[0] - last[0], now[1] - last[1]);
    }
    pointers.set(event.pointerId, now);
    actions.moved();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (pointers.delete(event.pointerId) && !pointers.size && travelled <= CLICK_MOVES) actions.click(...at(event));
  });
  canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => actions.hover(-1e6, -1e6));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : 1;
    camera.zoomAt(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), ...at(event));
    actions.moved();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowLeft: () => camera.pan(PAN_BY, 0),
      ArrowRight: () => camera.pan(-PAN_BY, 0),
      ArrowUp: () => camera.pan(0, PAN_BY),
      ArrowDown: () => camera.pan(0, -PAN_BY),
      "+": () => camera.zoomAt(1.5),
      "=": () => camera.zoomAt(1.5),
      "-": () => camera.zoomAt(1 / 1.5),
      0: actions.showAll,
      Enter: () => actions.click(camera.width / 2, camera.height / 2),
      Escape: actions.forget,
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    actions.moved();
  });
}

function at(event) {
  return [event.offsetX, event.offsetY];
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
