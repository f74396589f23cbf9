"""Draw docs/pictures/flow.svg: python docs/pictures/make_flow.py"""

from __future__ import annotations

from pathlib import Path

INK, SOFT, PAPER = "#1f2937", "#6b7280", "#ffffff"
BLUE, GREEN, AMBER = "#dbeafe", "#dcfce7", "#fef3c7"


def box(x: int, y: int, w: int, h: int, fill: str, title: str, *lines: str) -> str:
    text = f'<text x="{x + w / 2}" y="{y + 22}" text-anchor="middle" font-weight="600">{title}</text>'
    for number, line in enumerate(lines):
        top = y + 40 + 16 * number
        text += f'<text x="{x + w / 2}" y="{top}" text-anchor="middle" font-size="12" fill="{SOFT}">{line}</text>'
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{fill}" stroke="{INK}"/>{text}'


def arrow(x1: int, y1: int, x2: int, y2: int, label: str = "", dy: int = -6) -> str:
    middle = f'<text x="{(x1 + x2) / 2}" y="{(y1 + y2) / 2 + dy}" text-anchor="middle" font-size="12">{label}</text>'
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{INK}" marker-end="url(#tip)"/>{middle}'


def picture() -> str:
    stages = ("claim", "provision", "push", "launch", "wait", "pull", "score", "record", "release")
    parts = [
        box(20, 90, 150, 76, AMBER, "event file", "events/iris/config.yml", "kit, limits, region"),
        box(250, 20, 180, 76, BLUE, "infra", "one Pulumi program", "network, access, hosts"),
        box(250, 160, 180, 76, BLUE, "imagebuilder", "component documents", "build, validate, test"),
        box(520, 20, 150, 76, GREEN, "stack", "launch template,", "security group, key"),
        box(520, 160, 150, 76, GREEN, "tested AMI", "kit and environment", "under /opt/rampart"),
        box(760, 90, 150, 76, GREEN, "hosts", "one instance a run,", "verified SSH key"),
        arrow(170, 118, 246, 62),
        arrow(170, 138, 246, 194),
        arrow(430, 58, 516, 58, "up"),
        arrow(340, 96, 340, 156, "", 0),
        arrow(430, 198, 516, 198, "build-ami"),
        arrow(670, 58, 756, 112),
        arrow(670, 198, 756, 146),
        f'<rect x="20" y="280" width="890" height="112" rx="8" fill="{PAPER}" stroke="{SOFT}" stroke-dasharray="5 4"/>',
        '<text x="36" y="302" font-weight="600">runner</text>',
        f'<text x="96" y="302" font-size="12" fill="{SOFT}">'
        "each stage is one function from the previous value to its own</text>",
        '<line x1="835" y1="166" x2="835" y2="276" stroke="#1f2937" marker-end="url(#tip)"/>',
    ]
    for number, stage in enumerate(stages):
        x = 34 + 97 * number
        parts.append(f'<rect x="{x}" y="322" width="82" height="34" rx="6" fill="{BLUE}" stroke="{INK}"/>')
        parts.append(f'<text x="{x + 41}" y="344" text-anchor="middle" font-size="13">{stage}</text>')
        if number:
            parts.append(arrow(x - 15, 339, x - 2, 339))
    parts.append(box(34, 430, 200, 60, AMBER, "RAMP's database", "submissions, scores, folds"))
    parts.append(box(710, 430, 200, 60, GREEN, "leaderboard, logs", "scores; blame and reason"))
    parts.append(arrow(75, 430, 75, 360))
    parts.append(arrow(754, 356, 754, 426))
    parts.append(arrow(706, 460, 240, 460, "scores, states, error messages"))
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 930 510" font-family="sans-serif" font-size="15" '
        f'fill="{INK}">\n<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker></defs>\n'
        f'<rect width="930" height="510" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_name("flow.svg").write_text(picture(), encoding="utf-8")
