"""Fails where a folder's lines are covered by less than the aim, and names the files that pull it down.

usage: coverage.py SUMMARY AIM FOLDER...      SUMMARY is what `llvm-cov export --summary-only` wrote
"""

import json
import sys
from pathlib import Path


def share(lines: list[tuple[int, int]]) -> float:
    return 100 * sum(covered for covered, _ in lines) / sum(count for _, count in lines)


def main(summary: str, aim: float, folders: list[str]) -> int:
    measured: dict[str, tuple[int, int]] = {}
    for file in json.loads(Path(summary).read_text())["data"][0]["files"]:
        path = Path(file["filename"])
        if path.is_relative_to(Path.cwd()):
            lines = file["summary"]["lines"]
            measured[str(path.relative_to(Path.cwd()))] = (lines["covered"], lines["count"])
    failed = False
    for folder in folders:
        files = {name: lines for name, lines in measured.items() if name.startswith(f"{folder}/") and lines[1]}
        if not files:
            print(f"{folder}: nothing was measured")
            failed = True
            continue
        total = share(list(files.values()))
        print(f"{folder}: {total:.1f} % of {sum(count for _, count in files.values())} lines")
        for name, lines in sorted(files.items(), key=lambda file: share([file[1]])):
            if share([lines]) < aim:
                print(f"  {share([lines]):5.1f} %  {name}")
        failed |= total < aim
    if failed:
        print(f"the aim is {aim:g} % in each")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
