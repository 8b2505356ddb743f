"""Every `sealgate` command that the runbook and the deployment's page write down is one. usage: check_commands.py SERVER

Its words and options are looked for in what `--help` prints.
"""

import re
import subprocess
import sys
from pathlib import Path

PAGES = ("docs/RUNBOOK.md", "deploy/README.md", "deploy/helm/sealgate/templates/NOTES.txt")
problems = []
helps = {}


def help_of(server, words):
    if words not in helps:
        asked = subprocess.run([server, *words, "--help"], capture_output=True, text=True)
        helps[words] = asked.stdout if asked.returncode == 0 else None
    return helps[words]


def commands(text):
    """What stands after `sealgate`, in a code span or on a line of a block."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    lines = [line for block in blocks for line in block.splitlines()] + spans
    if "```" not in text:
        lines = text.splitlines()
    for line in lines:
        line = line.split(" #")[0]
        for found in re.finditer(r"(?:^|-- |\bserver |^as_)sealgate ([^|;&)]*)|\brun --rm server ([^|;&)]*)", line):
            yield (found.group(1) or found.group(2) or "").split()


def main():
    server, count = sys.argv[1], 0
    for page in PAGES:
        for words in commands(Path(page).read_text()):
            # Sub-commands are plain words; the rest is for them.
            plain = []
            for word in words:
                deeper = (*plain, word)
                if not re.fullmatch(r"[a-z]+", word) or help_of(server, deeper) is None:
                    break
                plain.append(word)
            told = help_of(server, tuple(plain)) or ""
            if "Commands:" in told and words and plain != words:
                problems.append(f"{page}: `sealgate {' '.join(words)}` is no command")
            for option in (word.split("=")[0] for word in words if word.startswith("--")):
                if not re.search(re.escape(option) + r"(?![\w-])", told):
                    problems.append(f"{page}: `sealgate {' '.join(words)}` takes no {option}")
            count += 1
    if count < 40:
        problems.append(f"{count} commands were found: they are written in another way")
    for problem in problems:
        print(f"commands: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
