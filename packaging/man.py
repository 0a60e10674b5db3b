"""Prints ringpost's man page, ringpost(1), made of what `ringpost --help` says: options and their words have one source.

    man.py PROGRAM
"""
import os
import re
import subprocess
import sys


def escaped(text):
    """As roff shows it: no command at a line's begin, a hyphen that can be copied, no escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def sections(text):
    """Of a help text: what stands before the first section, and each section's title and options, (names, words) each."""
    before, found = [], []
    for line in text.splitlines():
        if heading := re.fullmatch(r"(\S.*):", line):
            found.append((heading[1], []))
        elif not found:
            before.append(line.strip())
        elif option := re.fullmatch(r" {1,4}(-\S.*?|[a-z]\S*)(?: {2,}(.*))?", line):
            found[-1][1].append([option[1], option[2] or ""])
        elif line.strip() and found[-1][1]:
            entry = found[-1][1][-1]
            entry[1] = f"{entry[1]} {line.strip()}".strip()
    return before, found


def names(text):
    """`--port N=8080 (Env:PORT)`, or `N [8080]`: the names in bold; what else stands there, in words."""
    head, _, rest = text.partition(" (Env:")
    variable = rest.partition(")")[0]
    head = re.sub(r"\{\w+\}", "", head)  # what a negation means
    match = re.fullmatch(r"(.*?)(?:=(\S+)| *\[(.*)\])?", head)
    plain, default = match[1], match[2] or match[3]
    shown = re.sub(r"--?[\w-]+", lambda name: rf"\fB{escaped(name[0])}\fR", plain.replace("\\", "\\e"))
    more = [*([f"Default: {default}."] if default else []), *([f"Environment: {variable}."] if variable else [])]
    return shown.replace(",", ", "), " ".join(more)


def page(help_text, version, date):
    before, found = sections(help_text)
    # The usage line is the synopsis; what else stands first is the description.
    words = [line for line in before if line and not line.lower().startswith("usage")]
    name, _, summary = words[0].partition(": ")
    lines = [f'.TH RINGPOST 1 "{date}" "{version}"', ".SH NAME", f"{name} \\- {escaped(summary.rstrip('.'))}",
             ".SH SYNOPSIS", r"\fBringpost\fR [\fIOPTIONS\fR]", ".SH DESCRIPTION", *map(escaped, words[1:])]
    lines += [".PP", "A setting is taken from the command line, else from the environment, else from the file of",
              r"\fB\-\-config\fR, else it has its default."]
    for title, options in found:
        if not options:
            continue
        lines.append(f'.SH "{escaped(title.upper())}"')
        for head, text in options:
            shown, more = names(head)
            lines += [".TP", shown, escaped(text)]
            if more:
                lines.append(escaped(more))
    lines += [".SH SIGNALS", "SIGTERM and SIGINT drain: requests in flight are answered, then it ends with 0. A second one ends at once.",
              ".SH FILES", r"\fI/etc/ringpost/ringpost.toml\fR", "is what the service is started with; each setting is in it, with its default.",
              ".SH \"SEE ALSO\"", r"\fI/usr/share/doc/ringpost\fR"]
    return "\n".join(lines) + "\n"


def main():
    program = sys.argv[1]
    # Its own defaults, whatever the environment of whoever builds says.
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
    told = lambda option: subprocess.run([program, option], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    # No date: the same sources give the same bytes.
    sys.stdout.write(page(told("--help"), told("--version").strip(), ""))


if __name__ == "__main__":
    main()
