"""Debian's nginx with the configuration of docs/deploy, in front of processes of this machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.servers import ROOT

EXAMPLE = ROOT / "docs/deploy/nginx.conf"
_MAIN = """
daemon off;
{user}
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""


def find_nginx() -> str | None:
    """The path of nginx: `NGINX_PROGRAM`, or that of the system's package."""
    return shutil.which(os.environ.get("NGINX_PROGRAM", "nginx"), path=f"{os.environ['PATH']}:/usr/sbin")


def write_configuration(directory: Path, example: Path, replaced: Mapping[str, str]) -> Path:
    """Write an example of docs/deploy, with some of its texts replaced, and what belongs around it."""
    site = example.read_text()
    for old, new in replaced.items():
        site = site.replace(old, new)
    (directory / "site.conf").write_text(site)
    main = directory / "nginx.conf"
    main.write_text(_MAIN.format(directory=directory, user="user root;" if os.getuid() == 0 else ""))
    return main


@contextmanager
def nginx(program: str, directory: Path, port: int, upstreams: tuple[int, int]) -> Iterator[None]:
    """Run it on a port until the block ends; its log is `error.log` in the directory."""
    replaced = {":16000": f":{upstreams[0]}", ":16001": f":{upstreams[1]}"}
    main = write_configuration(directory, EXAMPLE, {"listen 80;": f"listen 127.0.0.1:{port};", **replaced})
    command = [program, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(main)]
    with subprocess.Popen(command) as process:  # noqa: S603 - found by name
        try:
            yield
        finally:
            process.terminate()
