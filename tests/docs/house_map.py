"""The map in CONTRIBUTING.md, made of the docstrings of the folders.

Written anew by `python -m tests.docs.house_map`.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
_BEGIN, _END = "<!-- the map: python -m tests.docs.house_map -->\n", "<!-- the end of the map -->\n"


def folders() -> list[Path]:
    """Every package of the product: the core, its wings, the plugins."""
    roots = [ROOT / "core" / "portmap", *sorted((ROOT / "plugins").glob("*/portmap_*"))]
    found = (path.parent for root in roots for path in root.rglob("__init__.py"))
    return sorted(
        found, key=lambda path: (roots.index(next(root for root in roots if path.is_relative_to(root))), path)
    )


def house_map() -> str:
    """One block a folder: its path, then its docstring."""
    blocks = []
    for folder in folders():
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        rows = [f"  {line}".rstrip() for line in text.splitlines() if line]
        blocks.append("\n".join([f"{folder.relative_to(ROOT)}/", *rows]))
    return "```text\n" + "\n\n".join(blocks) + "\n```\n"


def with_map(page: str) -> str:
    """The page with the map as it is now."""
    return re.sub(f"(?s){_BEGIN}.*?{_END}", lambda _: _BEGIN + house_map() + _END, page)


if __name__ == "__main__":
    PAGE.write_text(with_map(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
