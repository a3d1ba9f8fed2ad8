"""Every benchmark, each in a process of its own, as one table: ``python -m expnet.benchmarks.table [NAME…]``."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("sizes", "network", "engine", "animate", "memory", "face_model", "keys", "official")


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"There is no benchmark '{unknown.pop()}': choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(f"{processor()}, {platform.system()}, Python {platform.python_version()}", flush=True)
    failed = []
    for name in chosen or BENCHMARKS:
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, "-P", "-m", f"{__package__}.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nShort of a bound, or not measured: {', '.join(failed)}")
    return 1 if failed else 0


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    model = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")}
    count = sum(line.startswith("processor") for line in lines)
    return f"{count} × {', '.join(sorted(model)) or platform.machine()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
