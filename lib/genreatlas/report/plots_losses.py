"""Training curve of a network: loss per epoch."""

from genreatlas.models.engines.protocol import Losses
from genreatlas.report.svg import Figure, element, number, path, text, ticks

_WIDTH, _HEIGHT, _LEFT, _TOP = 360.0, 160.0, 44.0, 22.0


def training_curve(name: str, losses: Losses, model: str) -> Figure:
    """Loss per epoch on training songs (solid) and on the songs used for early stopping (dashed).

    Parameters
    ----------
    name : stem of the picture's file name.
    losses : losses of the epochs.
    model : display name of the model.
    """
    shown = [*losses.trained, *losses.held_out]
    low, high, n = min(0.0, *shown), max(*shown, 1e-9), len(losses.trained)

    def at(epoch: float, loss: float) -> tuple[float, float]:
        right = (epoch - 1) / max(n - 1, 1)
        return _LEFT + _WIDTH * right, _TOP + _HEIGHT * (1 - (loss - low) / (high - low))

    body = []
    for tick in ticks(low, high):
        level = number(at(1, tick)[1])
        body.append(element("line", x1=_LEFT, x2=_LEFT + _WIDTH, y1=level, y2=level, class_="grid"))
        body.append(text(_LEFT - 6, float(level) + 4, f"{tick:g}", text_anchor="end", class_="soft small"))
    body += [
        text(at(epoch, low)[0], _TOP + _HEIGHT + 16, str(epoch), text_anchor="middle", class_="soft small")
        for epoch in dict.fromkeys((1, (n + 1) // 2, n))
    ]
    x, y = at(losses.best, losses.held_out[losses.best - 1])
    body.append(element("line", x1=x, x2=x, y1=_TOP, y2=_TOP + _HEIGHT, class_="mark"))
    body.append(text(x, _TOP - 8, f"kept: epoch {losses.best}", text_anchor="middle", class_="soft small"))
    for values, kind in ((losses.trained, "line"), (losses.held_out, "line dashed")):
        points = [at(epoch, loss) for epoch, loss in enumerate(values, 1)]
        body.append(element("path", d=path(points), class_=kind))
    body.append(element("circle", cx=x, cy=y, r=4, class_="dot"))
    body.append(text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 34, "epoch", text_anchor="middle", class_="small"))
    alt = (
        f"Loss of {model} over {n} epochs: {losses.trained[0]:.2f} to {losses.trained[-1]:.2f} on training "
        f"songs; {losses.held_out[0]:.2f} to {losses.held_out[losses.best - 1]:.2f} at epoch {losses.best}, whose "
        "weights were kept, on held-out songs."
    )
    return Figure(name, alt, "".join(body), _LEFT + _WIDTH + 20, _TOP + _HEIGHT + 42)
