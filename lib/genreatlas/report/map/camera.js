// The visible part of the layout.

export const MOST_ZOOM = 256;

export class Camera {
  constructor() {
    Object.assign(this, { width: 1, height: 1, x: 0.5, y: 0.5, scale: 1, fit: 1 });
  }

  resize(width, height, layout) {
    const zoom = this.scale / this.fit;
    this.width = width;
    this.height = height;
    this.layout = layout;
    this.fit = Math.min((width - 70) / layout.width, (height - 50) / layout.height);
    this.fit = Math.max(this.fit, 40);
    this.scale = this.fit * zoom;
    this.keepInside();
  }

  showAll(layout) {
    this.layout = layout;
    this.scale = this.fit = 1;
    this.resize(this.width, this.height, layout);
    this.x = layout.width / 2;
    this.y = layout.height / 2;
  }

  get zoom() {
    return this.scale / this.fit;
  }

  screenX(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }

  screenY(y) {
    return (y - this.y) * this.scale + this.height / 2;
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.keepInside();
  }

  // Zoom by a factor around a pixel.
  zoomAt(factor, px = this.width / 2, py = this.height / 2) {
    const scale = Math.min(this.fit * MOST_ZOOM, Math.max(this.fit, this.scale * factor));
    const [dx, dy] = [px - this.width / 2, py - this.height / 2];
    this.x += dx / this.scale - dx / scale;
    this.y += dy / this.scale - dy / scale;
    this.scale = scale;
    this.keepInside();
  }

  goTo(x, y, zoom) {
    this.scale = this.fit * Math.min(MOST_ZOOM, Math.max(1, zoom));
    this.x = x;
    this.y = y;
    this.keepInside();
  }

  keepInside() {
    if (!this.layout) return;
    this.x = Math.min(this.layout.width, Math.max(0, this.x));
    this.y = Math.min(this.layout.height, Math.max(0, this.y));
  }
}
