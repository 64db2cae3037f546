"""Join ES modules to one script, so that a page is a single file that also works from a disk.

A browser loads no module from `file://`. The modules here import and export in one simple form each, which is rewritten: a module
becomes a function that returns its exports, called after those that it imports.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\./|\.\./)([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(import|export)\b.*", re.MULTILINE)


def bundle(entry: Path) -> str:
    """Return a module and all that it imports, directly or not, as one classic script.

    Raises:
        ValueError: A module imports or exports in a form that is not known, modules import each other in a cycle, or the script
            cannot stand in a page.
    """
    names: dict[Path, str] = {}
    parts = ['"use strict";']
    _add(entry.resolve(), names, parts, ())
    script = "\n".join(parts) + "\n"
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("the script has text that would end it within a page")
    return script


def _add(module: Path, names: dict[Path, str], parts: list[str], above: tuple[Path, ...]) -> None:
    """Add a module after its imports, each once. `above` are the modules that led here."""
    if module in above:
        raise ValueError(f"{module.name} imports itself by {above[-1].name}")
    if module in names:
        return
    source = module.read_text(encoding="utf-8")
    imports = []
    for what, start, path in _IMPORT.findall(source):
        imported = (module.parent / start / path).resolve()
        _add(imported, names, parts, (*above, module))
        fields = ", ".join(name.strip().replace(" as ", ": ") for name in what.split(",") if name.strip())
        imports.append(f"const {{ {fields} }} = {names[imported]};")
    body = _IMPORT.sub("", source)
    exports = [found.group(1) for found in _EXPORT.finditer(body)]
    body = _EXPORT.sub("", body)
    left = _LEFT.search(body)
    if left:
        raise ValueError(f"{module.name} has an unknown form of import or export: {left.group()}")
    names[module] = f"module{len(names)}"
    result = f"return {{ {', '.join(exports)} }};"
    parts.append("\n".join([f"const {names[module]} = (() => {{", *imports, body.strip(), result, "})();"]))
