"""Random task lists, drawn together with what stands in them, so that tests need no parser to know it."""

from dataclasses import dataclass

from hypothesis import strategies as st

NEWLINES = st.sampled_from(["\n", "\r\n"])
# Few words, so that equal titles come up; letters of several bytes, so that a count of characters is no offset.
WORDS = st.lists(st.sampled_from(["fix", "login", "größe", "日本", "`code`", "[link](u)", "a*b", "{name}"]), min_size=1)
BODIES = st.sampled_from(
    ["", "  more text", "\n  a paragraph", "  - [ ] nested", "\n  ```\n  - [ ] code\n  ```", "\n      - [ ] indented code"]
)
PROSE = st.sampled_from(["# Heading", "Some words.", "> - [ ] quoted", "```\n- [ ] fenced\n```", "<!-- note -->"])


@dataclass(frozen=True)
class Drawn:
    title: str
    checked: bool
    id: str | None
    body: str
    marker: str

    @property
    def text(self) -> str:
        """What a reader takes for the title: attributes end it, else it goes on to the end of the paragraph."""
        return f"{self.title} more text" if self.body.startswith("  more") and not self.id else self.title

    @property
    def markdown(self) -> str:
        box = "[x]" if self.checked else "[ ]"
        attributes = f" {{#{self.id}}}" if self.id else ""
        first = f"{self.marker} {box} {self.title}{attributes}"
        # Bodies are written for a marker of two columns.
        wider = " " * (len(self.marker) - 1)
        body = "\n".join(wider + line if line.startswith("  ") else line for line in self.body.split("\n"))
        return first + ("\n" + body if self.body else "")


@st.composite
def drawn_items(draw: st.DrawFn, marker: str = "-", with_body: bool = True) -> Drawn:
    return Drawn(
        title=" ".join(draw(WORDS)),
        checked=draw(st.booleans()),
        id=draw(st.none() | st.sampled_from(["a", "b", "c", "d", "e"])),
        body=draw(BODIES) if with_body else "",
        marker=marker,
    )


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[Drawn]]:
    """A list with headings and prose between its parts, and the items that a reader finds in it."""
    parts: list[str] = []
    items: list[Drawn] = []
    for marker in draw(st.lists(st.sampled_from(["-", "*", "+", "1.", "2)"]), max_size=4)):
        parts.append(draw(PROSE))
        group = draw(st.lists(drawn_items(marker), min_size=1, max_size=4))
        gap = draw(st.sampled_from(["\n", "\n\n"]))
        parts.append(gap.join(item.markdown for item in group))
        items += group
    text = "\n\n".join(parts) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", draw(NEWLINES)), items
