"""Run every benchmark in its own process and print one table: ``python -m expnet.benchmarks.table [NAME…]``."""

from __future__ import annotations

import platform
import subprocess
import sys

from ..training.measurement import processor

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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
