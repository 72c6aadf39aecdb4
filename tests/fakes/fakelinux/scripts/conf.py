"""A Kconfig of one page: bool, tristate and string symbols, depends on, select, default."""

import re
import sys
from pathlib import Path

target, srctree = sys.argv[1], Path(sys.argv[2])
files, symbols = [], {}


def scan(name):
    files.append(name)
    symbol, around = None, []
    for line in (srctree / name).read_text().replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "config" and not line.startswith(" "):
            if line.startswith("\t "):
                continue
            symbol = symbols.setdefault(rest, {"if": list(around), "select": [], "type": "bool", "prompt": False})
        elif word in ("menu", "if"):
            symbol = None
            around.append(rest if word == "if" else "1")
        elif word in ("endmenu", "endif"):
            around.pop()
        elif word == "source":
            scan(rest.strip('"'))
        elif word == "depends" and symbol is None:
            around[-1] = rest[3:]
        elif word == "depends":
            symbol["if"].append(rest[3:])
        elif word == "select":
            symbol["select"].append(rest)
        elif word in ("bool", "tristate", "string"):
            symbol["type"], symbol["prompt"] = word, bool(rest)


def values(asked):
    got = {}
    for _ in range(len(symbols)):
        selected = {s for name, symbol in symbols.items() if got.get(name, "n") != "n" for s in symbol["select"]}
        for name, symbol in symbols.items():
            visible = all(holds(condition, got) for condition in symbol["if"])
            default = '""' if symbol["type"] == "string" else "n"
            value = asked.get(name, default) if symbol["prompt"] else "n"
            got[name] = "y" if name in selected else value if visible else None
    return {
        name: value for name, value in got.items() if value is not None and (value != "n" or symbols[name]["prompt"])
    }


def holds(condition, got):
    text = re.sub(r"\w+", lambda m: str(got.get(m[0]) in ("y", "m") or m[0] == "1"), condition)
    return eval(text.replace("&&", " and ").replace("||", " or ").replace("!", " not "))


def render(got):
    return "".join(
        f"# CONFIG_{name} is not set\n" if value == "n" else f"CONFIG_{name}={value}\n" for name, value in got.items()
    )


scan("Kconfig")
config = Path(".config")
if target == "syncconfig":
    text = config.read_text()
    for folder in ("include/config", "include/generated"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    header = Path("include/generated/autoconf.h")
    defines = "".join(f"#define {n} 1\n" for n in re.findall(r"^(CONFIG_\w+)=[ym]", text, re.M))
    if not header.exists() or header.read_text() != defines:
        header.write_text(defines)
    listed = "".join(f"\t{name} \\\n" for name in files)
    Path("include/config/auto.conf.cmd").write_text(f"deps_config := \\\n{listed}\n\nauto.conf: $(deps_config)\n")
    Path("include/config/kernel.release").write_text("5.10.0-fake\n")
else:
    asked = {"64BIT": "y"} if target == "defconfig" else {}
    if target == "olddefconfig":
        asked = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", config.read_text(), re.M))
    config.write_text(render(values(asked)))
