"""Repeats the vendoring of third-party front-end files from their npm packages: `python tools/vendor.py`.

Each package is fetched with `npm pack NAME@VERSION`, and only the files listed here are kept, byte for byte. The script
also writes static/vendor/README.md (version, licence, size and SHA-256 of every file) and the font's style sheet.
To move to a newer version, change its number here, run the script and look at the pages.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
BROWSER_TESTS = ROOT / "tests" / "browser" / "vendor"


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package. `files` maps a path inside the package to a path below `into`/`folder`."""

    name: str
    version: str
    folder: str
    licence: str
    purpose: str
    files: dict[str, str]
    into: Path = VENDOR


PACKAGES = (
    Package(
        "bootstrap",
        "5.3.9",
        "bootstrap",
        "MIT",
        "grid, components, dialogs, colour modes",
        {
            "dist/css/bootstrap.min.css": "bootstrap.min.css",
            "dist/js/bootstrap.bundle.min.js": "bootstrap.bundle.min.js",
            "LICENSE": "LICENSE",
        },
    ),
    Package(
        "htmx.org",
        "2.0.11",
        "htmx",
        "0BSD",
        "requests and swaps declared in HTML",
        {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"},
    ),
    Package(
        "@fortawesome/fontawesome-free",
        "7.3.1",
        "fontawesome",
        "CC BY 4.0 (icons), SIL OFL 1.1 (fonts), MIT (code)",
        "icons; the `icon` of products and services names one of its classes",
        {
            "css/fontawesome.min.css": "css/fontawesome.min.css",
            "css/solid.min.css": "css/solid.min.css",
            "css/regular.min.css": "css/regular.min.css",
            "webfonts/fa-solid-900.woff2": "webfonts/fa-solid-900.woff2",
            "webfonts/fa-regular-400.woff2": "webfonts/fa-regular-400.woff2",
            "LICENSE.txt": "LICENSE.txt",
        },
    ),
    Package(
        "@fontsource-variable/quicksand",
        "5.3.0",
        "quicksand",
        "SIL OFL 1.1",
        "the default font, weights 300 to 700 in one file for each script",
        {
            "files/quicksand-latin-wght-normal.woff2": "quicksand-latin.woff2",
            "files/quicksand-latin-ext-wght-normal.woff2": "quicksand-latin-ext.woff2",
            "LICENSE": "LICENSE",
        },
    ),
    Package(
        "swagger-ui-dist",
        "5.35.0",
        "swagger-ui",
        "Apache-2.0",
        "the page of the JSON API at /crm/docs/",
        {
            "swagger-ui.css": "swagger-ui.css",
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
            "LICENSE": "LICENSE",
            "NOTICE": "NOTICE",
        },
    ),
    Package(
        "axe-core",
        "4.14.1",
        "axe-core",
        "MPL-2.0",
        "accessibility checks of the browser tests; never shipped",
        {"axe.min.js": "axe.min.js", "LICENSE": "LICENSE"},
        BROWSER_TESTS,
    ),
)

FONT_FACE = """@font-face {{
  font-family: "Quicksand";
  font-style: normal;
  font-weight: 300 700;
  font-display: swap;
  src: url("{file}") format("woff2");
  unicode-range: {ranges};
}}
"""


def unpack(package: Package, workdir: Path) -> Path:
    """Fetch the package's archive with npm, unpack it under `workdir` and answer its folder."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    archive = subprocess.run(command, cwd=workdir, check=True, capture_output=True, text=True).stdout.split()[-1]
    target = workdir / package.folder
    with tarfile.open(workdir / archive) as tar:
        tar.extractall(target, filter="data")
    return target / "package"


def copy(package: Package, source: Path) -> list[Path]:
    """Replace the package's vendored folder by the listed files and answer their new paths."""
    folder = package.into / package.folder
    shutil.rmtree(folder, ignore_errors=True)
    copied = []
    for inside, outside in package.files.items():
        target = folder / outside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / inside, target)
        target.chmod(0o644)
        copied.append(target)
    return copied


def font_style_sheet(source: Path, target: Path) -> Path:
    """Write the @font-face rules for the two scripts kept, with the character ranges that the package states."""
    ranges = json.loads((source / "unicode.json").read_text())
    rules = [
        FONT_FACE.format(file=f"quicksand-{script}.woff2", ranges=ranges[script].replace(",", ", "))
        for script in ("latin-ext", "latin")
    ]
    target.write_text("\n".join(rules))
    return target


def read_me(kept: list[tuple[Package, list[Path]]], base: Path, heading: str) -> str:
    """The text of a vendor folder's README: one table of packages, one of files."""
    lines = [f"# {heading}", "", "Written by tools/vendor.py from the npm packages; do not edit by hand.", ""]
    lines += ["| package | version | licence | used for |", "|---|---|---|---|"]
    lines += [f"| {package.name} | {package.version} | {package.licence} | {package.purpose} |" for package, _ in kept]
    lines += ["", "| file | bytes | SHA-256 |", "|---|---:|---|"]
    for _, paths in kept:
        for path in paths:
            data = path.read_bytes()
            lines.append(f"| {path.relative_to(base)} | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Vendor every package and write the two READMEs."""
    kept: list[tuple[Package, list[Path]]] = []
    with tempfile.TemporaryDirectory() as name:
        workdir = Path(name)
        for package in PACKAGES:
            source = unpack(package, workdir)
            paths = copy(package, source)
            if package.folder == "quicksand":
                paths.append(font_style_sheet(source, VENDOR / "quicksand" / "quicksand.css"))
            kept.append((package, paths))
            print(f"{package.name} {package.version}: {sum(path.stat().st_size for path in paths):,} bytes")
    for base, heading in ((VENDOR, "Vendored front-end files"), (BROWSER_TESTS, "Files for the browser tests only")):
        text = read_me([entry for entry in kept if entry[0].into == base], base, heading)
        (base / "README.md").write_text(text)


if __name__ == "__main__":
    main()
